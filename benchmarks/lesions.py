"""Search where one lesion, or one picture, has 5,000 of 8,000 cases: time, memory and calls to the engine.

Three collections: 5,000 images of one lesion; 5,000 copies of one picture without a lesion, saved again and again; the
same copies with the picture itself as the query, so that all of them are set apart. `search_p95_ms` and
`search_peak_mb` are of the first; the other two, whose cases no filter can leave out, have figures of their own.
``python -m benchmarks.lesions``
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.cohort import DIMENSIONS, clinical_weights, cohort, cohort_manifest
from benchmarks.page_requests import counted
from benchmarks.report import is_quick, report
from casekin.contracts.bundle import SAME_PICTURE
from casekin.contracts.cases import Case
from casekin.contracts.search import SearchRequest
from services.search.retrieval.search import Searcher
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.port import StoredCase

CASES, MANY = 8_000, 5_000
BATCH = 1000
Floats = NDArray[np.float64]


def main() -> None:
    """Measure and report."""
    searches = 40 if is_quick() else 400
    figures: dict[str, float] = {}
    details: dict[str, float | str] = {}
    with TemporaryDirectory() as folder:
        for name, cases, queries in _collections(searches):
            measured = _measured(Path(folder) / name, cases, queries)
            prefix = "" if name == "lesion" else f"{name}_"
            for figure, value in measured.items():
                (figures if figure in ("search_p95_ms", "search_peak_mb") else details)[f"{prefix}{figure}"] = value
    report("lesions", figures, details, quick=is_quick())


def _collections(searches: int) -> Iterator[tuple[str, list[StoredCase], Floats]]:
    """By name: the cases, and queries [searches, D]."""
    rng = np.random.default_rng(31)
    others = [stored for batch in cohort(CASES - MANY).stored(BATCH) for stored in batch]
    yield "none_large", others, cohort(CASES - MANY).queries(searches, seed=32)
    centre = others[0].latent.astype(np.float64)
    spread = centre + rng.normal(scale=0.3, size=(MANY, DIMENSIONS))
    lesion = [_case(f"near-{row}", x, lesion_id="large") for row, x in enumerate(spread)]
    near = centre + rng.normal(scale=0.3, size=(searches, DIMENSIONS))
    yield "lesion", [*lesion, *others], near
    far_apart = SAME_PICTURE / 8 / DIMENSIONS**0.5
    resaved = centre + rng.uniform(-far_apart, far_apart, size=(MANY, DIMENSIONS))
    copies = [_case(f"copy-{row}", x) for row, x in enumerate(resaved)]
    yield "copies", [*copies, *others], near
    itself = centre + rng.uniform(-far_apart, far_apart, size=(searches, DIMENSIONS))
    yield "itself", [*copies, *others], itself


def _case(case_id: str, x: Floats, lesion_id: str | None = None) -> StoredCase:
    """A case whose picture is in a file of its own."""
    digest = f"{hash(case_id) & (1 << 64) - 1:064x}"
    return StoredCase(Case(id=case_id, lesion_id=lesion_id, diagnosis="nv"), x.astype(np.float32), digest, digest[-32:])


def _measured(folder: Path, cases: list[StoredCase], queries: Floats) -> dict[str, float]:
    index = EdgeIndex(folder / "index", clinical_weights())
    for start in range(0, len(cases), BATCH):
        index.upsert(cases[start : start + BATCH])
    searcher = Searcher(index, cohort_manifest(), CollectionInfoStore(BlobStore(str(folder / "images")), "cohort"))
    requests = [SearchRequest(bundle_version="cohort-1", latents=(q.tolist(),)) for q in queries]
    searcher.search(_elsewhere(requests[0]))  # counts the collection, once a revision
    before = _reset_peak()
    taken, shown = [], []
    with counted() as counts:
        for request in requests:
            started = perf_counter()
            answer = searcher.search(request)
            taken.append((perf_counter() - started) * 1000)
            shown.append(len(answer.matches))
    peak = _status("VmHWM") - before
    index.close()
    return {
        "search_p95_ms": float(np.quantile(taken, 0.95)),
        "search_median_ms": float(np.median(taken)),
        "search_peak_mb": peak,
        "engine_calls_per_search": counts["query"] / len(requests),
        "fewest_matches": float(min(shown)),
    }


def _elsewhere(request: SearchRequest) -> SearchRequest:
    """A search far from all that is measured."""
    return request.model_copy(update={"latents": ([50.0] * DIMENSIONS,)})


def _reset_peak() -> float:
    """Make the memory in use the peak, in MB, and return it."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    """A size of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError(f"/proc/self/status has no {name}; this is measured on Linux")


if __name__ == "__main__":
    main()
