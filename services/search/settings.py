"""Settings of the search service."""

from pathlib import Path

from pydantic import Field, SecretStr

from casekin.service.settings import ServiceSettings


class SearchSettings(ServiceSettings):
    """Which collection is served and where it lies."""

    port: int = Field(default=8102, ge=0, le=65_535)
    bundle: Path = Path("bundles/default")
    """Folder of the bundle; only its manifest is read."""
    data: Path = Path("data")
    """Folder of the embedded index and, by default, of the images."""
    collection: str = Field(default="cases", pattern=r"^[a-z0-9][a-z0-9_]{0,40}$")
    """Name of the collection; the bundle's version is added to it."""
    qdrant_url: str | None = None
    """Qdrant server, as ``http://host:6333``; none takes the engine in this process."""
    qdrant_grpc_port: int = Field(default=6334, ge=1, le=65_535)
    qdrant_api_key: SecretStr | None = None
    qdrant_timeout_s: int = Field(default=10, ge=1)
    images_url: str | None = None
    """fsspec URL of the images; none takes ``images`` in the data folder."""
    reserve_mb: int = Field(default=256, ge=0)
    """Writing stops while the disk of the embedded index has less free: its engine dies on a full disk."""
    batch_mb: int = Field(default=256, ge=1)
    """Images in one batch of cases, together, of 10^6 bytes."""
