"""What the routes of search need, in one argument."""

from dataclasses import dataclass

from casekin.service.audit import AuditLog
from services.search.indexing.backfill import Filler
from services.search.indexing.deleter import Deleter
from services.search.indexing.registry import Indexes
from services.search.indexing.snapshots import Snapshots
from services.search.indexing.writer import Writer
from services.search.storage.collection_info import Description
from services.search.storage.image_store import ImageStore


@dataclass(frozen=True)
class Parts:
    """Made once, in `services.search.app`."""

    indexes: Indexes
    images: ImageStore
    description: Description
    writer: Writer
    deleter: Deleter
    filler: Filler
    snapshots: Snapshots
    audit: AuditLog
    batch_bytes: int
