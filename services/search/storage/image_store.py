"""The images of the collection: each with a thumbnail, under the case's id and a key of its content.

A changed image lies beside the one it replaces until the index names it: readers never see half a case, and what a
crash leaves behind is a file that nothing refers to.
"""

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Self

from casekin.contracts.base import CaseId
from casekin.errors import NotFound, Unavailable
from services.search.storage.blob_store import BlobStore
from services.search.storage.image_processing import PreparedImage
from services.search.vector_store.port import StoredCase

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ImageStore:
    """Images in a `BlobStore` below `root`, named ``NAME~KEY``: by case (see `name_in_store`) and by content."""

    def __init__(self, blobs: BlobStore, root: str = "") -> None:
        self._blobs = blobs
        self._root = root

    def beside(self, root: str) -> Self:
        """The images of a snapshot, in the same storage."""
        return type(self)(self._blobs, root)

    def put(self, images: Mapping[CaseId, PreparedImage]) -> None:
        """Store all images durably, or none: where one fails, those newly written are deleted."""
        new: dict[str, bytes] = {}
        for case_id, image in images.items():
            for key, data in zip(self._keys(case_id, image.key), (image.original, image.thumbnail), strict=True):
                if not self._blobs.exists(key):
                    new[key] = data
        try:
            self._blobs.write_all(new)
        except BaseException:
            with contextlib.suppress(OSError, Unavailable):
                self._blobs.delete(new)
            raise

    def original(self, case_id: CaseId, key: str) -> bytes:
        """The image without metadata; raises `NotFound`."""
        return self._read(case_id, self._keys(case_id, key)[0])

    def thumbnail(self, case_id: CaseId, key: str) -> bytes:
        """The thumbnail; raises `NotFound`."""
        return self._read(case_id, self._keys(case_id, key)[1])

    def delete_except(self, case_id: CaseId, keys: Collection[str]) -> None:
        """Delete the images of a case except those of `keys`."""
        kept = {file for key in keys for file in self._keys(case_id, key)}
        self._blobs.delete(found for found in self.files(case_id) if found not in kept)

    def files(self, case_id: CaseId) -> list[str]:
        """All files of a case: images in use, and those that a crash left behind."""
        return self._blobs.keys(f"{self._root}{_folder(case_id)}/{name_in_store(case_id)}~")

    def copy_to(self, other: Self, cases: Iterable[StoredCase]) -> None:
        """Copy the images of cases durably; raises `NotFound` where one is missing."""
        files = [(one, self._keys(one.case.id, one.image), other._keys(one.case.id, one.image)) for one in cases]
        for one, mine, _ in files:
            if not all(map(self._blobs.exists, mine)):
                raise NotFound(f"the image of case {one.case.id} is not in the store; ingest the case again")
        self._blobs.copy({file: copy for _, mine, theirs in files for file, copy in zip(mine, theirs, strict=True)})

    def _keys(self, case_id: CaseId, key: str) -> tuple[str, str]:
        base = f"{self._root}{_folder(case_id)}/{name_in_store(case_id)}~{key}"
        return f"{base}.original", f"{base}.thumbnail"

    def _read(self, case_id: CaseId, key: str) -> bytes:
        data = self._blobs.read(key)
        if data is None:
            raise NotFound(f"the image of case {case_id} is not in the store; ingest the case again")
        return data


def _folder(case_id: CaseId) -> str:
    """One of 4096 folders, so that none grows beyond what a file system lists quickly."""
    digest = hashlib.sha256(case_id.encode()).hexdigest()
    return f"cases/{digest[:3]}"


def name_in_store(case_id: CaseId) -> str:
    """The id where it is a safe name for files and objects, else a hash of it after a ``~``, which no safe id has."""
    return case_id if _SAFE.fullmatch(case_id) else f"~{hashlib.sha256(case_id.encode()).hexdigest()}"


def delete_unused(images: ImageStore, replaced: Iterable[StoredCase], kept: Iterable[tuple[CaseId, str]]) -> None:
    """Delete images of cases before a change, except those in `kept`: ids with image keys that an index refers to."""
    keys: dict[CaseId, set[str]] = {}
    for case_id, key in kept:
        keys.setdefault(case_id, set()).add(key)
    for old in replaced:
        if old.image not in (still := keys.get(old.case.id, set())):
            images.delete_except(old.case.id, still)
