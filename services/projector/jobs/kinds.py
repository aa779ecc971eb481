"""The kinds of jobs: on which queue, and within which time."""

from dataclasses import dataclass
from typing import Literal

from services.projector.settings import ProjectorSettings

Queue = Literal["interactive", "maps", "bulk"]
QUEUES: tuple[Queue, ...] = ("interactive", "maps", "bulk")
"""One for each pace of work, so that a click never waits behind a UMAP fit, nor a fit behind an ingest."""
_TRIES = 3


@dataclass(frozen=True)
class Kind:
    """One kind of job; its name is the name of the Celery task."""

    name: str
    queue: Queue
    limit_s: int
    """Soft limit: the job fails with a problem; ten seconds later its process is killed."""
    tries: int
    """Further ones where a needed service does not answer; none for work that may not be begun twice."""

    @property
    def kill_s(self) -> int:
        """Hard limit."""
        return self.limit_s + 10


def kinds(settings: ProjectorSettings) -> dict[str, Kind]:
    """Every kind by its name."""
    fit, click = settings.fit_limit_s, settings.click_limit_s
    known = (
        Kind("map.fit", "maps", fit, _TRIES),
        Kind("map.place", "interactive", click, _TRIES),
        Kind("rollout", "interactive", click, _TRIES),
        Kind("rollout.joint", "interactive", click, _TRIES),
        Kind("rollout.animation", "interactive", click, _TRIES),
        Kind("export", "maps", fit, _TRIES),
        Kind("trajectory", "interactive", click, _TRIES),
        Kind("ingest", "bulk", settings.ingest_limit_s, _TRIES),
        Kind("reindex", "bulk", settings.ingest_limit_s, _TRIES),
    )
    return {kind.name: kind for kind in known}
