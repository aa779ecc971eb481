"""Search at 10,000 and 1,000,000 cases: recall and time of the service's search, beside three other ways.

The others, in the same run: a numpy scan of all cases, the bare call to the engine, and the student prototype that
Casekin grew from (read the CSV, weigh and sort all, at every request). Figures with ``page`` are of the page's own
requests, see `benchmarks.page_requests`; the others search single cases, ten at a time.
``python -m benchmarks.search [FOLDER]``; with ``QUICK=1`` 100,000 stand in place of 1,000,000. A large index takes a
quarter of an hour to build: with FOLDER it is kept there, and measured again without building where it is there.
"""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import numpy as np
import qdrant_edge as qe
from numpy.typing import NDArray

from benchmarks.cohort import EIGHT_PER_CENT, Cohort, clinical_weights, cohort, cohort_manifest
from benchmarks.page_requests import page_figures
from benchmarks.report import is_quick, report
from casekin.contracts.conditions import AnyOf, Filters
from casekin.contracts.search import SearchRequest
from services.search.retrieval.search import Searcher
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.edge.folder import READ_AHEAD
from services.search.vector_store.edge.index import EdgeIndex

SMALL, LARGE, QUICK_LARGE = 10_000, 1_000_000, 100_000
K = 10
BATCH = 4096
SITES: Filters = (AnyOf(field="site", values=EIGHT_PER_CENT),)
EQUAL_DISTANCE = 1e-9
"""Relative: cases this close to the k-th are as right as it is."""
Floats = NDArray[np.float64]
T = TypeVar("T")
Preset = Literal["visual", "clinical", "custom"]


@dataclass(frozen=True)
class Way:
    """One way to search."""

    preset: Preset
    filters: Filters
    weights: Floats

    def request(self, q: Floats) -> SearchRequest:
        """The request for a query [D]."""
        return SearchRequest(
            bundle_version="cohort-1",
            latents=(q.tolist(),),
            preset=self.preset,
            weights=self.weights.tolist() if self.preset == "custom" else None,
            filters=self.filters,
            k=K,
            one_per_lesion=False,
        )


def main(kept: Path | None = None) -> None:
    """Measure and report."""
    large = QUICK_LARGE if is_quick() else LARGE
    with TemporaryDirectory() as folder:
        page, page_details = page_figures(Path(folder) / "page", sessions=100 if is_quick() else 500)
        small_figures, details = _small(Path(folder) / "small")
        large_figures, more = _large((kept or Path(folder)) / f"large-{large}", large)
    figures, details = page | small_figures | large_figures, page_details | details | more
    report("search", figures, details | {"cases": large}, quick=is_quick())


def _small(folder: Path) -> tuple[dict[str, float], dict[str, float | str]]:
    cases = cohort(SMALL)
    build(folder, SMALL)
    searcher, index = _open(folder)
    bare = _bare_engine(cases, folder / "bare")
    queries = cases.queries(100 if is_quick() else 400, seed=1)
    ways = [
        Way(preset, filters, weights)
        for preset, weights in _weightings(np.random.default_rng(2))
        for filters in ((), SITES)
    ]
    recalls, service_ms, bare_ms, scan_ms = [], [], [], []
    for way in ways:
        kept = _kept(cases, way.filters)
        requests = [way.request(q) for q in queries]
        for q, request in zip(queries, requests, strict=True):
            bare_ms.append(_timed(bare, q, way)[1])
            response, taken = _timed(searcher.search, request)
            service_ms.append(taken)
            truth, scanned = _timed(_scan, cases, q, way.weights, kept)
            scan_ms.append(scanned)
            recalls.append(_recall(cases, q, way.weights, [m.case.id for m in response.matches], truth))
    prototype = _prototype(cases, folder / "cases.csv", queries[:5])
    index.close()
    figures = {
        "recall_10k": float(np.mean(recalls)),
        "p95_ms_10k": _p95(service_ms),
        "engine_ratio_10k": _p95(service_ms) / _p95(bare_ms),
        "prototype_ratio": prototype / float(np.median(service_ms)),
    }
    return figures, {
        "median_ms_10k": float(np.median(service_ms)),
        "bare_engine_median_ms_10k": float(np.median(bare_ms)),
        "bare_engine_p95_ms_10k": _p95(bare_ms),
        "numpy_scan_median_ms_10k": float(np.median(scan_ms)),
        "prototype_ms_10k": prototype,
    }


def _large(folder: Path, count: int) -> tuple[dict[str, float], dict[str, float | str]]:
    details: dict[str, float | str] = {}
    if not folder.exists():
        details["build_s"] = _built(folder, count)
    cases = cohort(count)
    queries = cases.queries(60 if is_quick() else 200, seed=3)
    before = _resident_mb()
    searcher, index = _open(folder)
    _read_ahead()
    filtered = Way("clinical", SITES, clinical_weights())
    figures: dict[str, float] = {}
    for name, way in [("filtered", filtered), *(("custom", way) for way in _custom_ways())]:
        recall, p95, scan = _measure(searcher, cases, way, queries)
        for figure, value, worst in (("recall", recall, min), ("p95_ms", p95, max)):
            key = f"{figure}_1m_{name}"
            figures[key] = worst(figures.get(key, value), value)
        details[f"numpy_scan_median_ms_{name}"] = scan
    figures["mb_per_million"] = (_resident_mb() - before) * 1e6 / count
    index.close()
    return figures, details


def _built(folder: Path, count: int) -> float:
    """Seconds that it took, in a process of its own: what writing needs of memory is no part of what serving takes."""
    started, partial = time.perf_counter(), folder.with_suffix(".partial")
    writer = multiprocessing.get_context("spawn").Process(target=build, args=(partial, count))
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        raise RuntimeError(f"the process that builds the index ended with {writer.exitcode}")
    partial.rename(folder)
    return time.perf_counter() - started


def build(folder: Path, count: int) -> None:
    """Write the cohort of `count` cases into an index in `folder` and build its graphs."""
    cases = cohort(count)
    index = EdgeIndex(folder / "index", clinical_weights())
    for batch in cases.stored(BATCH):
        index.upsert(batch)
    index.close()
    EdgeIndex(folder / "index", clinical_weights()).close()  # graphs are made when an index is opened


def _open(folder: Path) -> tuple[Searcher, EdgeIndex]:
    index = EdgeIndex(folder / "index", clinical_weights())
    return Searcher(index, cohort_manifest(), CollectionInfoStore(BlobStore(str(folder / "images")), "cohort")), index


def _read_ahead() -> None:
    """Wait until an index that was just opened has read its files through, as one that has been up for a while has."""
    for thread in threading.enumerate():
        if thread.name == READ_AHEAD:
            thread.join()


def _weightings(rng: np.random.Generator) -> list[tuple[Preset, Floats]]:
    size = len(clinical_weights())
    few = np.zeros(size)
    few[:3] = 1.0
    presets: list[tuple[Preset, Floats]] = [("visual", np.ones(size)), ("clinical", clinical_weights())]
    return [*presets, ("custom", rng.random(size)), ("custom", rng.random(size) ** 4), ("custom", few)]


def _custom_ways() -> list[Way]:
    custom = [weights for preset, weights in _weightings(np.random.default_rng(4)) if preset == "custom"]
    return [Way("custom", (), weights) for weights in custom]


def _measure(searcher: Searcher, cases: Cohort, way: Way, queries: Floats) -> tuple[float, float, float]:
    """Recall, p95 in ms, and the median in ms of a numpy scan."""
    kept = _kept(cases, way.filters)
    recalls, taken, scans = [], [], []
    searcher.search(way.request(queries[0]))  # counts what passes the filter, once a revision
    for q in queries:
        request = way.request(q)
        response, milliseconds = _timed(searcher.search, request)
        truth, scanned = _timed(_scan, cases, q, way.weights, kept)
        taken.append(milliseconds)
        scans.append(scanned)
        recalls.append(_recall(cases, q, way.weights, [m.case.id for m in response.matches], truth))
    return float(np.mean(recalls)), _p95(taken), float(np.median(scans))


def _kept(cases: Cohort, filters: Filters) -> NDArray[np.int64] | None:
    return np.flatnonzero(np.isin(cases.columns["site"], EIGHT_PER_CENT)) if filters else None


def _scan(cases: Cohort, q: Floats, weights: Floats, kept: NDArray[np.int64] | None) -> float:
    """The k-th least squared distance, in float32 as such a scan would be written."""
    x = cases.x if kept is None else cases.x[kept]
    squared = ((x - q.astype(np.float32)) ** 2) @ weights.astype(np.float32)
    rows = np.argpartition(squared, K)[: K + 20]
    rows = rows if kept is None else kept[rows]
    exact = ((cases.x[rows].astype(np.float64) - q) ** 2) @ weights
    return float(np.sort(exact)[K - 1])


def _recall(cases: Cohort, q: Floats, weights: Floats, found: Sequence[str], kth: float) -> float:
    rows = [int(case_id[1:]) for case_id in found]
    squared = ((cases.x[rows].astype(np.float64) - q) ** 2) @ weights
    return float((squared <= kth * (1 + EQUAL_DISTANCE)).sum()) / K


def _bare_engine(cases: Cohort, folder: Path) -> Callable[[Floats, Way], list[Any]]:
    """The engine alone, on the same vectors and payloads: one exact query for k points with their payloads."""
    folder.mkdir()
    size = cases.x.shape[1]
    scale = np.sqrt(clinical_weights()).astype(np.float32)
    vectors = {name: qe.EdgeVectorParams(size, qe.Distance.Euclid) for name in ("visual", "clinical")}
    vectors["weighted"] = qe.EdgeVectorParams(2 * size, qe.Distance.Dot)
    shard = qe.EdgeShard.create(str(folder), qe.EdgeConfig(vectors=vectors))
    shard.update(qe.UpdateOperation.create_field_index("site", qe.PayloadSchemaType.Keyword))
    for batch in cases.stored(BATCH):
        points = []
        for stored in batch:
            x = stored.latent
            named = {
                "visual": x.tolist(),
                "clinical": (x * scale).tolist(),
                "weighted": [*x.tolist(), *(x * x).tolist()],
            }
            points.append(qe.Point(int(stored.case.id[1:]), named, stored.case.model_dump(exclude_none=True)))
        shard.update(qe.UpdateOperation.upsert_points(points))

    def ask(q: Floats, way: Way) -> list[Any]:
        space = "weighted" if way.preset == "custom" else way.preset
        vector = {"visual": q, "clinical": q * scale, "weighted": np.concatenate([2 * way.weights * q, -way.weights])}
        match = qe.FieldCondition("site", match=qe.MatchAny(list(EIGHT_PER_CENT)))
        request = qe.QueryRequest(
            limit=K,
            query=qe.Query.Nearest(vector[space].tolist(), space),
            filter=qe.Filter(must=[match]) if way.filters else None,
            with_payload=True,
            params=qe.SearchParams(exact=True),
        )
        return [(point.payload, point.score) for point in shard.query(request)]

    return ask


def _prototype(cases: Cohort, table: Path, queries: Floats) -> float:
    """Median milliseconds of a request that reads the table, weighs and sorts all of it."""
    np.savetxt(table, cases.x, delimiter=",", fmt="%.6g")
    weights = clinical_weights()

    def once(q: Floats) -> NDArray[np.int64]:
        x = np.loadtxt(table, delimiter=",")
        return np.argsort(np.sqrt((((x - q) * np.sqrt(weights)) ** 2).sum(1)))[:K]

    return float(np.median([_timed(once, q)[1] for q in queries]))


def _timed(call: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    started = time.perf_counter()
    answer = call(*arguments)
    return answer, (time.perf_counter() - started) * 1000


def _p95(milliseconds: Sequence[float]) -> float:
    return float(np.quantile(milliseconds, 0.95))


def _resident_mb() -> float:
    """Memory of this process, what it maps of the index's files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("/proc/self/status has no VmRSS; this is measured on Linux")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
