"""What the routes of search need, in one argument."""

from dataclasses import dataclass

from casekin.service.audit import AuditLog
from services.search.deleting import Deleter
from services.search.description import Description
from services.search.filling import Filler
from services.search.images import ImageStore
from services.search.indexes import Indexes
from services.search.snapshots import Snapshots
from services.search.writing import Writer


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
