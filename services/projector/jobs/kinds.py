"""What the job store and the broker know of a kind of job: its queue and its limits."""

from dataclasses import dataclass
from typing import Literal

Queue = Literal["interactive", "maps", "bulk"]
QUEUES: tuple[Queue, ...] = ("interactive", "maps", "bulk")
"""One for each pace of work, so that a click never waits behind a UMAP fit, nor a fit behind an ingest."""


@dataclass(frozen=True)
class JobKind:
    """One kind of job; its name is the name of the Celery task."""

    name: str
    queue: Queue
    limit_s: int
    """Soft limit: the job fails with a problem; ten seconds later its process is killed."""
    max_retries: int
    """How often the job is tried again because a required service was unavailable."""

    @property
    def kill_s(self) -> int:
        """Hard limit."""
        return self.limit_s + 10
