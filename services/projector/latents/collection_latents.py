"""The latents of the collection at one revision, cached in a file: search is read once a revision, not once a job.

N cases, D dimensions.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casekin.atomic_files import write_durably
from casekin.clients import SearchClient
from casekin.contracts.base import CaseId, Code
from casekin.contracts.collection import Collection
from casekin.errors import Conflict, NotFound
from services.projector.latents.exact_knn import Floats, Step
from services.projector.storage.deletion_mark import DeletionMark

INTERACTIVE_CASES = 100_000
"""A click does not wait until a larger collection is read: it uses what the last fit has read."""
_ATTEMPTS = 3
_Signature = tuple[int, int, int]


@dataclass(frozen=True)
class CollectionLatents:
    """All cases of the collection at one revision."""

    bundle_version: str
    revision: str
    cases: list[CaseId]
    diagnoses: list[Code | None]
    lesions: list[Code | None]
    latents: Floats
    """[N,D], standardised."""

    def row_of(self, case: CaseId) -> int:
        """Raises `NotFound` where the case was deleted meanwhile or never was."""
        try:
            return self.cases.index(case)
        except ValueError:
            raise NotFound(f"no case {case} in the collection; it may have been deleted") from None

    def values_at(self, quantiles: Sequence[float]) -> npt.NDArray[np.float64]:
        """Values [S,D] below which these shares of the cases lie, in each dimension; cached."""
        key = tuple(quantiles)
        if key not in self._values_at:
            self._values_at[key] = np.quantile(self.latents, key, axis=0).astype(np.float64).round(4)
        return self._values_at[key]

    @cached_property
    def _values_at(self) -> dict[tuple[float, ...], npt.NDArray[np.float64]]:
        return {}

    def part(self, rows: npt.NDArray[np.intp]) -> "CollectionLatents":
        """Only the cases of these rows."""
        return CollectionLatents(
            self.bundle_version,
            self.revision,
            [self.cases[row] for row in rows],
            [self.diagnoses[row] for row in rows],
            [self.lesions[row] for row in rows],
            np.ascontiguousarray(self.latents[rows]),
        )


def stable_sample(cases: Sequence[CaseId], size: int) -> npt.NDArray[np.intp]:
    """Rows of `size` cases, ascending, chosen by a hash of their ids: most of a sample stays as a collection grows."""
    if len(cases) <= size:
        return np.arange(len(cases))
    keys = np.array([int.from_bytes(hashlib.blake2b(case.encode(), digest_size=8).digest()) for case in cases])
    return np.sort(np.argpartition(keys, size)[:size])


class CollectionReader:
    """Reads the collection from search, or from the file that another process left.

    The file and the copy in memory hold latents of cases, so both go when a case is deleted: `remove` and `forget`.
    """

    def __init__(self, folder: Path, search: SearchClient, deletions: DeletionMark) -> None:
        self._folder, self._search, self._deletions = folder / "gallery", search, deletions
        self._cached: tuple[_Signature, CollectionLatents] | None = None
        self._folder.mkdir(parents=True, exist_ok=True)

    def current(self, step: Step | None = None) -> CollectionLatents:
        """The collection as it is; raises `Conflict` where it keeps changing while it is read."""
        before = self._search.collection()
        for _ in range(_ATTEMPTS):
            mark = self._deletions.read()
            if found := self._load(self._file(before.bundle_version, before.revision)):
                return found
            read = _read(self._search, before, step)
            after = self._search.collection()
            if (after.revision, after.bundle_version) == (before.revision, before.bundle_version):
                self.store(read)
                if self._deletions.read() == mark:
                    return read
                self.remove_all()  # a case was deleted after the last page was read
            before = after
        raise Conflict("the collection keeps changing while it is read (is an ingest running?); try when it is done")

    def for_interactive(self) -> CollectionLatents | None:
        """The collection as it is, at most `INTERACTIVE_CASES` of it; above, as the last fit read it, or none."""
        collection = self._search.collection()
        if collection.cases <= INTERACTIVE_CASES:
            return self.current()
        if found := self._load(self._file(collection.bundle_version, collection.revision)):
            return found
        return self._newest(collection.bundle_version)

    def store(self, collection: CollectionLatents) -> None:
        """Leave the collection to the other processes, and remove older files."""
        file = self._file(collection.bundle_version, collection.revision)
        write_durably(file, _to_bytes(collection))
        for other in self._files():
            if other != file:
                other.unlink(missing_ok=True)
        if signature := _signature(file):
            self._cached = (signature, collection)

    def stored_ids(self) -> set[CaseId]:
        """The ids of all cases in the files."""
        return {case for file in self._files() if (found := _from_file(file)) for case in found.cases}

    def remove(self, ids: frozenset[CaseId]) -> int:
        """Take cases out of every file; returns how many files had one."""
        changed = 0
        for file in self._files():
            if (found := _from_file(file)) and (kept := _without(found, ids)):
                write_durably(file, _to_bytes(kept))
                changed += 1
        self.forget()
        return changed

    def remove_all(self) -> None:
        """Delete every file."""
        for file in self._files():
            file.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Drop the copy in memory."""
        self._cached = None

    def _newest(self, bundle_version: str) -> CollectionLatents | None:
        files = sorted(self._files(), key=lambda file: _signature(file) or (0, 0, 0), reverse=True)
        loaded = (self._load(file) for file in files)
        return next((found for found in loaded if found and found.bundle_version == bundle_version), None)

    def _load(self, file: Path) -> CollectionLatents | None:
        """The content of `file`, read once while it does not change: over 100,000 latents take a second to read."""
        signature, cached = _signature(file), self._cached
        if signature is None:
            return None
        if cached is not None and cached[0] == signature:
            return cached[1]
        if (found := _from_file(file)) is not None:
            self._cached = (signature, found)
        return found

    def _files(self) -> list[Path]:
        return list(self._folder.glob("*.npz"))

    def _file(self, bundle_version: str, revision: str) -> Path:
        name = hashlib.sha256(f"{bundle_version}\0{revision}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.npz"


def _signature(file: Path) -> _Signature | None:
    """Time of writing, inode and size: another content has another signature."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)


def _without(collection: CollectionLatents, ids: frozenset[CaseId]) -> CollectionLatents | None:
    """The collection without `ids`; none where it has none of them."""
    kept = np.array([row for row, case in enumerate(collection.cases) if case not in ids], np.intp)
    return collection.part(kept) if len(kept) < len(collection.cases) else None


def _read(search: SearchClient, collection: Collection, step: Step | None) -> CollectionLatents:
    cases: list[CaseId] = []
    diagnoses: list[Code | None] = []
    lesions: list[Code | None] = []
    latents: list[Floats] = []
    for page in search.latents():
        cases += [case.id for case in page.cases]
        diagnoses += [case.diagnosis for case in page.cases]
        lesions += [case.lesion_id for case in page.cases]
        latents.append(np.asarray(page.latents, np.float32).reshape(len(page.cases), -1))
        if step is not None:
            step(len(cases), collection.cases)
    filled = [page for page in latents if page.size] or [np.zeros((0, 1), np.float32)]
    return CollectionLatents(
        collection.bundle_version, collection.revision, cases, diagnoses, lesions, np.concatenate(filled)
    )


def _to_bytes(collection: CollectionLatents) -> bytes:
    words = {
        "bundle_version": collection.bundle_version,
        "revision": collection.revision,
        "cases": collection.cases,
        "diagnoses": collection.diagnoses,
        "lesions": collection.lesions,
    }
    stream = io.BytesIO()
    np.savez(stream, words=np.frombuffer(json.dumps(words).encode(), np.uint8), latents=collection.latents)
    return stream.getvalue()


def _from_file(file: Path) -> CollectionLatents | None:
    """None where the file is gone."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        words = json.loads(stored["words"].tobytes())
        return CollectionLatents(**words, latents=stored["latents"])
