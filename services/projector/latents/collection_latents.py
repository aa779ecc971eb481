"""The latents of the collection at one revision, kept as a file: search is read once a revision, not once a job.

N cases, D dimensions.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId, Code
from casekin.contracts.search import Collection
from casekin.errors import Conflict, NotFound
from services.projector.files import replace_file
from services.projector.latents.exact_knn import Floats, Step

INTERACTIVE_CASES = 100_000
"""A click waits for a larger collection to be read no longer: it takes what the last fit has read."""
_ATTEMPTS = 3


@dataclass(frozen=True)
class CollectionLatents:
    """All cases of the collection as one revision of it has them."""

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
        """Values [S,D] below which these shares of the cases lie, in each dimension; worked out once."""
        key = tuple(quantiles)
        if key not in self._values_at:
            self._values_at[key] = np.quantile(self.latents, key, axis=0).astype(np.float64).round(4)
        return self._values_at[key]

    @cached_property
    def _values_at(self) -> dict[tuple[float, ...], npt.NDArray[np.float64]]:
        return {}

    def part(self, rows: npt.NDArray[np.intp]) -> "CollectionLatents":
        """Only some of its cases."""
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


@dataclass
class CollectionReader:
    """Reads the collection from search, or from the file that another process left."""

    folder: Path
    search: SearchClient
    _held: CollectionLatents | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def now(self, step: Step | None = None) -> CollectionLatents:
        """The collection as it is; raises `Conflict` where it keeps changing while it is read."""
        before = self.search.collection()
        for _ in range(_ATTEMPTS):
            if found := self._known(before):
                return found
            collection = _read(self.search, before, step)
            after = self.search.collection()
            if (after.revision, after.bundle_version) == (before.revision, before.bundle_version):
                self.keep(collection)
                return collection
            before = after
        raise Conflict("the collection keeps changing while it is read (is an ingest running?); try when it is done")

    def for_interactive(self) -> CollectionLatents | None:
        """The collection as it is, at most `INTERACTIVE_CASES` of it; above, as the last fit read it, or none."""
        collection = self.search.collection()
        if collection.cases <= INTERACTIVE_CASES:
            return self.now()
        if found := self._known(collection):
            return found
        return self._newest(collection.bundle_version)

    def _known(self, collection: Collection) -> CollectionLatents | None:
        held = self._held
        if held and (held.revision, held.bundle_version) == (collection.revision, collection.bundle_version):
            return held
        return self._load(self._file(collection.bundle_version, collection.revision))

    def _newest(self, bundle_version: str) -> CollectionLatents | None:
        files = sorted(self.folder.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
        reader = (self._load(file) for file in files)
        return next((found for found in reader if found and found.bundle_version == bundle_version), None)

    def _load(self, file: Path) -> CollectionLatents | None:
        try:
            self._held = _from_bytes(file.read_bytes())
        except FileNotFoundError:
            return None
        return self._held

    def keep(self, collection: CollectionLatents) -> None:
        """Leave it to the other processes and drop older ones: a deleted case's latent goes with them."""
        file = self._file(collection.bundle_version, collection.revision)
        replace_file(file, lambda stream: stream.write(_to_bytes(collection)))
        for other in self.folder.glob("*.npz"):
            if other != file:
                other.unlink(missing_ok=True)
        self._held = collection

    def _file(self, bundle_version: str, revision: str) -> Path:
        name = hashlib.sha256(f"{bundle_version}\0{revision}".encode()).hexdigest()[:32]
        return self.folder / f"{name}.npz"


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


def _from_bytes(content: bytes) -> CollectionLatents:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        words = json.loads(stored["words"].tobytes())
        return CollectionLatents(**words, latents=stored["latents"])
