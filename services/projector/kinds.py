"""The kinds of jobs: on which queue, and within which time."""

from dataclasses import dataclass
from typing import Literal

from services.projector.settings import ProjectorSettings

Queue = Literal["interactive", "maps"]
QUEUES: tuple[Queue, ...] = ("interactive", "maps")
"""Two queues, so that a click never waits behind a UMAP fit."""


@dataclass(frozen=True)
class Kind:
    """One kind of job; its name is the name of the Celery task."""

    name: str
    queue: Queue
    limit_s: int
    """Soft limit: the job fails with a problem; ten seconds later its process is killed."""

    @property
    def kill_s(self) -> int:
        """Hard limit."""
        return self.limit_s + 10


def kinds(settings: ProjectorSettings) -> dict[str, Kind]:
    """Every kind by its name."""
    known = (
        Kind("map.fit", "maps", settings.fit_limit_s),
        Kind("map.place", "interactive", settings.click_limit_s),
        Kind("rollout", "interactive", settings.click_limit_s),
    )
    return {kind.name: kind for kind in known}
