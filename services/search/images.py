"""The images of the collection: each with a thumbnail, under the case's id and a key of its content.

A changed image lies beside the one it replaces until the index names it: readers never see half a case, and what a
crash leaves behind is a file that nothing refers to.
"""

import contextlib
import hashlib
from collections.abc import Collection, Mapping

from casekin.contracts.base import CaseId
from casekin.errors import NotFound
from services.search.blobs import Blobs
from services.search.pictures import Picture


class ImageStore:
    """Pictures in `Blobs`; ``~`` parts id and key, for no id contains it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def put(self, pictures: Mapping[CaseId, Picture]) -> None:
        """Store all pictures durably, or none: what was newly written is taken back where one fails."""
        new: dict[str, bytes] = {}
        for case_id, picture in pictures.items():
            for key, data in zip(_keys(case_id, picture.key), (picture.original, picture.thumbnail), strict=True):
                if not self._blobs.exists(key):
                    new[key] = data
        try:
            self._blobs.write_all(new)
        except BaseException:
            with contextlib.suppress(OSError):
                self._blobs.delete(new)
            raise

    def original(self, case_id: CaseId, key: str) -> bytes:
        """The image without metadata; raises `NotFound`."""
        return self._read(case_id, _keys(case_id, key)[0])

    def thumbnail(self, case_id: CaseId, key: str) -> bytes:
        """The thumbnail; raises `NotFound`."""
        return self._read(case_id, _keys(case_id, key)[1])

    def drop_all_but(self, case_id: CaseId, keys: Collection[str]) -> None:
        """Delete pictures of a case, but those of `keys`."""
        kept = {file for key in keys for file in _keys(case_id, key)}
        self._blobs.delete(found for found in self.files(case_id) if found not in kept)

    def files(self, case_id: CaseId) -> list[str]:
        """What lies in the store of a case: pictures in use, and such as a crash left behind."""
        return self._blobs.keys(f"{_folder(case_id)}/{case_id}~")

    def _read(self, case_id: CaseId, key: str) -> bytes:
        data = self._blobs.read(key)
        if data is None:
            raise NotFound(f"the image of case {case_id} is not in the store; ingest the case again")
        return data


def _folder(case_id: CaseId) -> str:
    """One of 4096 folders, so that none grows beyond what a file system lists quickly."""
    digest = hashlib.sha256(case_id.encode()).hexdigest()
    return f"cases/{digest[:3]}"


def _keys(case_id: CaseId, key: str) -> tuple[str, str]:
    base = f"{_folder(case_id)}/{case_id}~{key}"
    return f"{base}.original", f"{base}.thumbnail"
