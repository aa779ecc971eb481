"""Takes cases out for good: from the index, with their images and thumbnails; a crash in between is made up for."""

from collections.abc import Sequence

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import AnyOf
from casekin.contracts.search import Deletion
from casekin.errors import NotFound
from services.search.blobs import Blobs
from services.search.images import ImageStore
from services.search.index import CaseIndex

_FOLDER = "deletions"
"""A note for each case whose deletion has begun, until it is complete."""


class Deleter:
    """Notes what is to go, takes it out of the index, then drops its files: readers never see half a case."""

    def __init__(self, index: CaseIndex, images: ImageStore, blobs: Blobs) -> None:
        self._index = index
        self._images = images
        self._blobs = blobs

    def case(self, case_id: CaseId) -> Deletion:
        """Delete one case, or files that were left of it; raises `NotFound` where there is neither."""
        if not self._index.digests([case_id]) and not self._images.files(case_id):
            raise NotFound(f"no case {case_id} in the collection")
        return self._delete([case_id])

    def lesion(self, lesion_id: str) -> Deletion:
        """Delete all cases of a lesion; raises `NotFound` where it has none."""
        ids = self._index.ids((AnyOf(field="lesion_id", values=(lesion_id,)),))
        if not ids:
            raise NotFound(f"no case of lesion {lesion_id} in the collection")
        return self._delete(ids)

    def finish(self) -> None:
        """Complete what a crash interrupted; before the first request."""
        if noted := [key.rpartition("/")[2] for key in self._blobs.keys(f"{_FOLDER}/")]:
            self._delete(noted)

    def _delete(self, ids: Sequence[CaseId]) -> Deletion:
        notes = [f"{_FOLDER}/{case_id}" for case_id in ids]
        self._blobs.write_all(dict.fromkeys(notes, b""))
        stored = sorted(self._index.digests(ids))
        self._index.delete(ids)
        files = [file for case_id in ids for file in self._images.files(case_id)]
        for case_id in ids:
            self._images.drop_all_but(case_id, None)
        left = len(self._index.digests(ids)) + sum(len(self._images.files(case_id)) for case_id in ids)
        if not left:
            self._blobs.delete(notes)
        return Deletion(cases=stored, files=len(files), left=left, revision=self._index.revision())
