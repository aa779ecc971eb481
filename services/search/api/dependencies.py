"""Everything that the routes of search need, in one argument."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from casekin.service.audit import AuditLog
from services.search.indexing.backfill import Backfill
from services.search.indexing.deleter import Deleter
from services.search.indexing.registry import IndexRegistry
from services.search.indexing.snapshots import Snapshots
from services.search.indexing.writer import Writer
from services.search.storage.collection_info import CollectionInfoStore
from services.search.storage.image_store import ImageStore

T = TypeVar("T")


class ChangeThreads:
    """Threads for changes of the collection: those that wait for their turn take none from the searches."""

    def __init__(self, count: int = 8) -> None:
        self._limiter = CapacityLimiter(count)

    async def run(self, change: Callable[[], T]) -> T:
        """Run a change in one of the threads."""
        return await to_thread.run_sync(change, limiter=self._limiter)


@dataclass(frozen=True)
class Dependencies:
    """Built once, in `services.search.app`."""

    indexes: IndexRegistry
    images: ImageStore
    collection_info: CollectionInfoStore
    writer: Writer
    deleter: Deleter
    backfill: Backfill
    snapshots: Snapshots
    changes: ChangeThreads
    audit: AuditLog
    batch_bytes: int
