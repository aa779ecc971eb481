"""Named snapshots of the collection: cases with latents, images, title and vocabulary.

A snapshot is a folder of the image store: 256 pages of cases by the hash of their ids, and ``snapshot.json``, written
last. It does not depend on the engine: one taken with the embedded engine can be restored into a server. A deleted case
is deleted from every snapshot too, so that a restore never brings it back.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, TypeAdapter

from casekin.contracts.base import CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo
from casekin.contracts.snapshots import Snapshot, SnapshotName
from casekin.errors import Conflict, NotFound
from services.search.indexing.registry import IndexRegistry
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.storage.image_store import ImageStore, delete_unused
from services.search.vector_store.port import CaseIndex, StoredCase

_FOLDER = "snapshots"
_ABOUT, _MANIFEST, _COLLECTION = "snapshot.json", "bundle.json", "collection.json"
_READ = 1024
"""Cases read or written at once, about; each write is forced to disk."""


class _Record(BaseModel):
    case: Case
    latent: list[float]
    digest: str
    image: str


T = TypeVar("T")
_PAGE: TypeAdapter[list[_Record]] = TypeAdapter(list[_Record])


class Snapshots:
    """All snapshots of one image store; other changes wait while one is taken or restored, searches do not."""

    def __init__(
        self, indexes: IndexRegistry, images: ImageStore, description: CollectionInfoStore, blobs: BlobStore
    ) -> None:
        self._indexes, self._images, self._description, self._blobs = indexes, images, description, blobs

    def take(self, name: SnapshotName) -> Snapshot:
        """Copy the live index as it is now; raises `Conflict` where there is such a snapshot, `StorageFull`."""
        with self._indexes.changing:
            if self._blobs.exists(_key(name, _ABOUT)):  # under the lock: another one of this name may just be done
                raise Conflict(f"there is a snapshot {name} already; name another, or delete it first")
            live = self._indexes.live(fresh=True)
            self._blobs.delete_folder(f"{_FOLDER}/{name}")  # what a crash left of one
            ids = live.cases.ids()
            for pages in _chunks(_by_page(ids).items(), lambda page: len(page[1])):
                self._copy(name, live.cases, dict(pages))
            self._blobs.write(_key(name, _MANIFEST), live.manifest.model_dump_json().encode())
            self._blobs.write(_key(name, _COLLECTION), self._description.read().model_dump_json().encode())
            about = Snapshot(name=name, bundle_version=live.version, cases=len(ids), created=datetime.now(UTC))
            self._blobs.write(_key(name, _ABOUT), about.model_dump_json().encode())
        return about

    def all(self) -> list[Snapshot]:
        """All complete snapshots, by name."""
        return [self._stored_about(name) for name in self._names() if self._blobs.exists(_key(name, _ABOUT))]

    def restore(self, name: SnapshotName) -> Snapshot:
        """Restore the collection, and make the index of the snapshot's bundle live; may be repeated after a crash.

        Raises `NotFound`, `StorageFull`, and `Conflict` where that index was made with another bundle of this version.
        """
        with self._indexes.changing:
            about = self._stored_about(name)
            manifest = BundleManifest.model_validate_json(self._read(_key(name, _MANIFEST)))
            info = CollectionInfo.model_validate_json(self._read(_key(name, _COLLECTION)))
            target = self._indexes.add(manifest).cases
            kept: set[CaseId] = set()
            for pages in _chunks(self._pages(name), len):
                stored = [_stored(record) for page in pages for record in page]
                self._restore_page(name, target, stored)
                kept |= {one.case.id for one in stored}
            self._drop(target, [case_id for case_id in target.ids() if case_id not in kept])
            self._description.replace(info)
            self._indexes.make_live(manifest.version)
        return about

    def delete(self, name: SnapshotName) -> None:
        """Delete a snapshot for good; raises `NotFound`."""
        with self._indexes.changing:
            self._stored_about(name)
            self._blobs.delete([_key(name, _ABOUT)])
            self._blobs.delete_folder(f"{_FOLDER}/{name}")

    def forget(self, ids: Iterable[CaseId]) -> None:
        """Delete cases from every snapshot, with their images."""
        for name in self._names():
            images = self._images.beside(f"{_FOLDER}/{name}/")
            for page, of_page in _by_page(ids).items():
                for case_id in of_page:
                    images.delete_except(case_id, ())
                records = self._page(_key(name, page))
                if left := [one for one in records if one.case.id not in of_page]:
                    self._blobs.write(_key(name, page), _packed(left))
                elif records:
                    self._blobs.delete([_key(name, page)])

    def holding(self, ids: Iterable[CaseId]) -> int:
        """Number of records and files of these cases in all snapshots."""
        found = 0
        for name in self._names():
            images = self._images.beside(f"{_FOLDER}/{name}/")
            for page, of_page in _by_page(ids).items():
                found += sum(one.case.id in of_page for one in self._page(_key(name, page)))
                found += sum(len(images.files(case_id)) for case_id in of_page)
        return found

    def _copy(self, name: SnapshotName, index: CaseIndex, pages: dict[str, list[CaseId]]) -> None:
        stored = {page: index.get(ids) for page, ids in pages.items()}
        images = self._images.beside(f"{_FOLDER}/{name}/")
        self._images.copy_to(images, [one for cases in stored.values() for one in cases])
        self._blobs.write_all({_key(name, page): _packed(map(_record, cases)) for page, cases in stored.items()})

    def _restore_page(self, name: SnapshotName, target: CaseIndex, stored: Sequence[StoredCase]) -> None:
        self._images.beside(f"{_FOLDER}/{name}/").copy_to(self._images, stored)
        ids = [one.case.id for one in stored]
        before = target.get(ids)
        self._indexes.changing.check()
        target.upsert(stored)
        delete_unused(self._images, before, self._indexes.image_keys(ids))

    def _drop(self, target: CaseIndex, ids: Sequence[CaseId]) -> None:
        for begin in range(0, len(ids), _READ):
            chunk = ids[begin : begin + _READ]
            before = target.get(chunk)
            self._indexes.changing.check()
            target.delete(chunk)
            delete_unused(self._images, before, self._indexes.image_keys(chunk))

    def _names(self) -> list[SnapshotName]:
        return sorted(key.rpartition("/")[2] for key in self._blobs.keys(f"{_FOLDER}/"))

    def _stored_about(self, name: SnapshotName) -> Snapshot:
        data = self._blobs.read(_key(name, _ABOUT))
        if data is None:
            there = ", ".join(one.name for one in self.all())
            raise NotFound(f"there is no snapshot {name}; there are {there or 'none'}")
        return Snapshot.model_validate_json(data)

    def _pages(self, name: SnapshotName) -> Iterator[list[_Record]]:
        for number in range(256):
            yield self._page(_key(name, f"{number:02x}"))

    def _page(self, key: str) -> list[_Record]:
        data = self._blobs.read(key)
        return [] if data is None else _PAGE.validate_json(gzip.decompress(data))

    def _read(self, key: str) -> bytes:
        data = self._blobs.read(key)
        if data is None:
            raise NotFound(f"{key} is not in the image store: the snapshot cannot be restored")
        return data


def _key(name: SnapshotName, part: str) -> str:
    return f"{_FOLDER}/{name}/{part if part.endswith('.json') else f'pages/{part}.json.gz'}"


def _by_page(ids: Iterable[CaseId]) -> dict[str, list[CaseId]]:
    """Ids by the page that they belong to: the first two digits of their hash."""
    pages: dict[str, list[CaseId]] = {}
    for case_id in ids:
        pages.setdefault(hashlib.sha256(case_id.encode()).hexdigest()[:2], []).append(case_id)
    return pages


def _chunks(pages: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Lists of pages with at least `_READ` cases together; the last one may have fewer."""
    chunk: list[T] = []
    for page in pages:
        chunk.append(page)
        if sum(map(size, chunk)) >= _READ:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _packed(records: Iterable[_Record]) -> bytes:
    return gzip.compress(_PAGE.dump_json(list(records)), 1)


def _record(stored: StoredCase) -> _Record:
    return _Record(case=stored.case, latent=stored.latent.tolist(), digest=stored.digest, image=stored.image)


def _stored(record: _Record) -> StoredCase:
    return StoredCase(record.case, np.array(record.latent, np.float32), record.digest, record.image)
