"""What the routes of search need, in one argument."""

from dataclasses import dataclass

from casekin.contracts.bundle import BundleManifest
from casekin.service.audit import AuditLog
from services.search.deleting import Deleter
from services.search.description import Description
from services.search.images import ImageStore
from services.search.index import CaseIndex
from services.search.searching import Searcher
from services.search.writing import Writer


@dataclass(frozen=True)
class Parts:
    """Made once, in `services.search.app`."""

    manifest: BundleManifest
    index: CaseIndex
    images: ImageStore
    description: Description
    searcher: Searcher
    writer: Writer
    deleter: Deleter
    audit: AuditLog
    batch_bytes: int
