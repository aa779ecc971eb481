"""Settings of the search service."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from casekin.service.settings import ServiceSettings


class SearchSettings(ServiceSettings):
    """Which collection is served, and where its index and images are stored."""

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
    qdrant_shards: int = Field(default=1, ge=1, le=1024)
    """Shards of a new collection; a cluster spreads them over its nodes."""
    qdrant_replicas: int = Field(default=1, ge=1, le=64)
    """Copies of each shard of a new collection."""
    qdrant_write_consistency: int = Field(default=1, ge=1, le=64)
    """Copies that must have stored a write before it is acknowledged; at most `qdrant_replicas`."""
    qdrant_on_disk: bool = False
    """Keep vectors and payloads of a new collection on disk, for collections larger than memory."""
    qdrant_quantisation: Literal["none", "int8"] = "none"
    """``int8`` quantises the preset vectors of a new collection to a quarter of the memory; scores stay exact."""
    images_url: str | None = None
    """fsspec URL of the images; none takes ``images`` in the data folder."""
    reserve_mb: int = Field(default=256, ge=0)
    """Writing stops while the disk of the data folder has less free: the embedded engine dies on a full disk."""
    batch_mb: int = Field(default=256, ge=1)
    """Maximum size of the images in one batch of cases, in units of 10^6 bytes."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.qdrant_write_consistency > self.qdrant_replicas:
            raise ValueError(
                f"CASEKIN_QDRANT_WRITE_CONSISTENCY is {self.qdrant_write_consistency}, of "
                f"{self.qdrant_replicas} replicas; set CASEKIN_QDRANT_REPLICAS higher or it lower"
            )
        return self
