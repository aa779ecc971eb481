"""Delete cases for good: from every index and snapshot, with their images; a start completes what a crash cut short."""

from collections.abc import Sequence

from casekin.contracts.base import CaseId
from casekin.contracts.cases import Deletion
from casekin.contracts.conditions import AnyOf
from casekin.errors import NotFound, Unavailable
from services.search.indexing.registry import IndexRegistry
from services.search.indexing.snapshots import Snapshots
from services.search.storage.blob_store import BlobStore
from services.search.storage.image_store import ImageStore, name_in_store

_FOLDER = "deletions"
"""A blob with the id of each case whose deletion has begun, until it is complete."""


class Deleter:
    """Marks cases as being deleted, deletes them from every index, then their files: readers never see half a case.

    All of it under the lock that the copies of the service share, so that none of them writes a case back that it read
    before.
    """

    def __init__(self, indexes: IndexRegistry, images: ImageStore, blobs: BlobStore, snapshots: Snapshots) -> None:
        self._indexes = indexes
        self._snapshots = snapshots
        self._images = images
        self._blobs = blobs

    def case(self, case_id: CaseId) -> Deletion:
        """Delete one case, or files that were left of it; raises `NotFound` where there is neither."""
        with self._indexes.changing:
            if not self._stored([case_id]) and not self._images.files(case_id):
                raise NotFound(f"no case {case_id} in the collection")
            return self._delete([case_id])

    def lesion(self, lesion_id: str) -> Deletion:
        """Delete all cases of a lesion; raises `NotFound` where it has none."""
        of_lesion = (AnyOf(field="lesion_id", values=(lesion_id,)),)
        with self._indexes.changing:
            ids = sorted({case_id for _, index in self._indexes.all() for case_id in index.cases.ids(of_lesion)})
            if not ids:
                raise NotFound(f"no case of lesion {lesion_id} in the collection")
            return self._delete(ids)

    def finish(self) -> None:
        """Complete what a crash cut short; before the first request."""
        if self._begun():
            with self._indexes.changing:
                if begun := self._begun():  # again: another copy may have completed them, and the cases be new ones
                    self._delete(begun)

    def finish_before_write(self, ids: Sequence[CaseId]) -> None:
        """Complete deletions of these cases, so that none of them takes the new case out at the next start.

        Raises `Unavailable` where something of a case cannot be deleted.
        """
        if begun := sorted(set(self._begun()).intersection(ids)):
            done = self._delete(begun)
            if done.left:
                named = ", ".join(begun[:5])
                raise Unavailable(f"the deletion of {named} is not complete: {done.left} left; try again")

    def _begun(self) -> list[CaseId]:
        """Cases whose deletion is marked as begun; a mark of a former release is empty, and named by the id itself."""
        keys = self._blobs.keys(f"{_FOLDER}/")
        return [(self._blobs.read(key) or b"").decode() or key.rpartition("/")[2] for key in keys]

    def _stored(self, ids: Sequence[CaseId]) -> list[CaseId]:
        """Those of `ids` that any index has."""
        return sorted({case_id for _, index in self._indexes.all() for case_id in index.cases.digests(ids)})

    def _delete(self, ids: Sequence[CaseId]) -> Deletion:
        marks = {f"{_FOLDER}/{name_in_store(case_id)}": case_id.encode() for case_id in ids}
        with self._indexes.changing:
            self._blobs.write_all(marks)
            stored = self._stored(ids)
            for _, index in self._indexes.all():
                self._indexes.changing.check()
                index.cases.delete(ids)
            files = [file for case_id in ids for file in self._images.files(case_id)]
            for case_id in ids:
                self._images.delete_except(case_id, ())
            self._snapshots.forget(ids)
            left = len(self._stored(ids)) + sum(len(self._images.files(case_id)) for case_id in ids)
            left += self._snapshots.holding(ids)
            if not left:
                self._blobs.delete(marks)
            revision = self._indexes.live().cases.revision()
        return Deletion(cases=stored, files=len(files), left=left, revision=revision)
