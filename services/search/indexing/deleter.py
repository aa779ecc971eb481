"""Takes cases out for good: from every index and snapshot, with their images; a crash in between is made up for."""

from collections.abc import Sequence

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import AnyOf
from casekin.contracts.search import Deletion
from casekin.errors import NotFound
from services.search.indexing.registry import Indexes
from services.search.indexing.snapshots import Snapshots
from services.search.storage.blob_store import Blobs
from services.search.storage.image_store import ImageStore

_FOLDER = "deletions"
"""A note for each case whose deletion has begun, until it is complete."""


class Deleter:
    """Notes what is to go, takes it out of every index, then drops its files: readers never see half a case."""

    def __init__(self, indexes: Indexes, images: ImageStore, blobs: Blobs, snapshots: Snapshots) -> None:
        self._indexes = indexes
        self._snapshots = snapshots
        self._images = images
        self._blobs = blobs

    def case(self, case_id: CaseId) -> Deletion:
        """Delete one case, or files that were left of it; raises `NotFound` where there is neither."""
        if not self._stored([case_id]) and not self._images.files(case_id):
            raise NotFound(f"no case {case_id} in the collection")
        return self._delete([case_id])

    def lesion(self, lesion_id: str) -> Deletion:
        """Delete all cases of a lesion; raises `NotFound` where it has none."""
        of_it = (AnyOf(field="lesion_id", values=(lesion_id,)),)
        ids = sorted({case_id for _, index in self._indexes.all() for case_id in index.cases.ids(of_it)})
        if not ids:
            raise NotFound(f"no case of lesion {lesion_id} in the collection")
        return self._delete(ids)

    def finish(self) -> None:
        """Complete what a crash interrupted; before the first request."""
        if noted := [key.rpartition("/")[2] for key in self._blobs.keys(f"{_FOLDER}/")]:
            self._delete(noted)

    def _stored(self, ids: Sequence[CaseId]) -> list[CaseId]:
        """Those of `ids` that any index has."""
        return sorted({case_id for _, index in self._indexes.all() for case_id in index.cases.digests(ids)})

    def _delete(self, ids: Sequence[CaseId]) -> Deletion:
        notes = [f"{_FOLDER}/{case_id}" for case_id in ids]
        with self._indexes.changing:
            self._blobs.write_all(dict.fromkeys(notes, b""))
            stored = self._stored(ids)
            for _, index in self._indexes.all():
                index.cases.delete(ids)
            files = [file for case_id in ids for file in self._images.files(case_id)]
            for case_id in ids:
                self._images.drop_all_but(case_id, ())
            self._snapshots.forget(ids)
            left = len(self._stored(ids)) + sum(len(self._images.files(case_id)) for case_id in ids)
            left += self._snapshots.holding(ids)
            if not left:
                self._blobs.delete(notes)
            revision = self._indexes.live().cases.revision()
        return Deletion(cases=stored, files=len(files), left=left, revision=revision)
