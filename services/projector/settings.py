"""Settings shared by the projector's API and its workers."""

from pathlib import Path

from pydantic import Field

from casekin.contracts.base import ServiceUrl
from casekin.service.settings import ServiceSettings


class ProjectorSettings(ServiceSettings):
    """Addresses, folders, and limits of time."""

    port: int = Field(default=8103, ge=0, le=65_535)
    redis_url: str = "redis://127.0.0.1:6379/0"
    data: Path = Path("data")
    """Results lie in ``DATA/projector``: the API and all workers must see the same folder."""
    search_url: ServiceUrl = "http://127.0.0.1:8102"
    encoder_url: ServiceUrl = "http://127.0.0.1:8101"
    result_lifetime_s: float = Field(default=3600, gt=0)
    """How long a result can be fetched after it was computed: about a session."""
    maps_kept: int = Field(default=10, ge=1, le=1000)
    """Fitted maps that stay, newest first; the current one stays in any case."""
    fit_limit_s: int = Field(default=3600, ge=10)
    """Time limit of a map fit; its worker process is killed ten seconds later."""
    ingest_limit_s: int = Field(default=21_600, ge=10)
    """Likewise of a part of an ingest or of a re-index; submitted again, it continues."""
    collections: str | None = None
    """Folder or fsspec URL below which bulk workers find collections to ingest; none refuses such jobs."""
    next_encoder_url: ServiceUrl | None = None
    """An encoder with the bundle that a re-index is for; none allows only those on the workers' own machine."""
    ingest_rate: float = Field(default=10, gt=0)
    """Images a second of one worker, so that clinicians do not feel an ingest or a re-index."""
    click_limit_s: int = Field(default=60, ge=5)
    """Likewise of the jobs that a clinician waits for."""
    lease_s: float = Field(default=15, gt=1)
    """A worker without a heartbeat for so long counts as dead, and its jobs go to another."""
    sweep_s: float = Field(default=5, gt=0)
    """How often the API looks for jobs whose worker died."""
    reconcile_s: float = Field(default=60, gt=0)
    """How often the API looks for deleted cases that nobody reported, once the collection has changed."""
    deliveries: int = Field(default=3, ge=1, le=20)
    """A job that loses its worker this often is parked (dead-lettered)."""
    retry_wait_s: float = Field(default=2, gt=0)
    """Until a job is tried again because a required service was unavailable; doubles each time."""
    interactive_processes: int = Field(default=2, ge=1, le=64)

    @property
    def folder(self) -> Path:
        """Where results lie."""
        return self.data / "projector"
