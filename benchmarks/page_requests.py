"""The page's search requests at 10,000 cases, beside one bare call to the engine for the same cases.

As the page sends them (`services.ui.session.state.search_request`): twelve matches, one a lesion, with neighbour
statistics and the count of cases that pass. The metadata of the collection follow its latents, as diagnoses, sites and
ages do: a filter then passes most of a query's neighbours, or hardly any. A filter is fresh at its first request, and
cached when the page sends it again, for the next page or with another preset.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import qdrant_edge as qe
from numpy.typing import NDArray

from benchmarks.cohort import SHARES, Cohort, clinical_weights, cohort, cohort_manifest
from casekin.contracts.conditions import AnyOf, Between, Filters, Not
from casekin.contracts.search import SearchRequest, SearchResponse
from services.search.retrieval.search import Searcher
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.edge.filters import edge_filter
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.edge.shard import Shard

CASES = 10_000
BATCH = 4096
OWN_SITE = 0.7
"""Share of a cluster's cases at the cluster's own site; the others are spread as in the whole collection."""
SIBLING_SCALE = 0.3
"""Of a case of the same lesion around the first one, in standard deviations."""
RESAVED = 1e-4
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Session:
    """What one person sends for one query: `fresh` requests meet new filters, `cached` ones the same again."""

    fresh: list[SearchRequest]
    cached: list[SearchRequest]


def page_figures(folder: Path, sessions: int) -> tuple[dict[str, float], dict[str, float | str]]:
    """Measure `sessions` sessions; the bare call alternates with the page's requests, so that both meet equal load."""
    cases = following_cohort()
    index = EdgeIndex(folder / "index", clinical_weights())
    for batch in cases.stored(BATCH):
        index.upsert(batch)
    searcher = Searcher(index, cohort_manifest(), CollectionInfoStore(BlobStore(str(folder / "images")), "cohort"))
    bare = _bare(cases, folder / "bare")
    taken: dict[str, list[float]] = {"fresh": [], "cached": [], "bare_fresh": [], "bare_cached": []}
    made = _sessions(cases, sessions)
    _warm_up(searcher, bare, made[0])
    calls = 0
    with counted() as counts:
        for session in made:
            for name, requests in (("fresh", session.fresh), ("cached", session.cached)):
                for request in requests:
                    answer, milliseconds = _timed(partial(searcher.search, request))
                    taken[name].append(milliseconds)
                    calls += 1
                    ask = bare(request, _cases_in(answer))
                    taken[f"bare_{name}"].append(_timed(ask)[1])
    index.close()
    median = {name: float(np.median(values)) for name, values in taken.items()}
    figures = {
        "page_ratio_10k": median["fresh"] / median["bare_fresh"],
        "page_ratio_10k_cached": median["cached"] / median["bare_cached"],
        "page_p95_ms_10k": float(np.quantile(taken["fresh"] + taken["cached"], 0.95)),
        "engine_calls_per_search": counts["query"] / calls,
    }
    details: dict[str, float | str] = {f"page_{name}_median_ms_10k": value for name, value in median.items()}
    details |= {f"page_{name}_p95_ms_10k": float(np.quantile(values, 0.95)) for name, values in taken.items()}
    details["engine_calls_of_any_kind_per_search"] = sum(counts.values()) / calls
    details["page_requests"] = calls
    return figures, details


def following_cohort() -> Cohort:
    """A cohort whose sites and ages follow the latents, and whose lesions lie together."""
    plain = cohort(CASES)
    rng = np.random.default_rng(21)
    x = plain.x.astype(np.float64)
    first = np.searchsorted(plain.lesions, plain.lesions)  # lesions ascend
    siblings = first != np.arange(len(x))
    x[siblings] = x[first[siblings]] + rng.normal(scale=SIBLING_SCALE, size=(siblings.sum(), x.shape[1]))
    own = rng.random(CASES) < OWN_SITE
    sites = np.where(own, _own_sites(plain, x), plain.columns["site"])
    ages = np.clip(np.round((50 + 15 * x[:, 0]) / 5) * 5, 0, 85)
    return replace(plain, x=x.astype(np.float32), columns=plain.columns | {"site": sites}, ages=ages)


def _own_sites(cases: Cohort, x: Floats) -> NDArray[np.object_]:
    """The site of the cluster that each of x [L, D] is nearest to."""
    known = np.array([site for site in SHARES["site"] if site is not None], object)
    centres = cases.centres / cases.scale
    apart = (x**2).sum(1)[:, None] - 2 * x @ centres.T + (centres**2).sum(1)
    sites: NDArray[np.object_] = known[apart.argmin(1) % len(known)]
    return sites


def _sessions(cases: Cohort, count: int) -> list[Session]:
    """Half start from a new image, a quarter each from an image of the collection, saved again, and from a case."""
    rng = np.random.default_rng(22)
    queries = cases.queries(count, seed=23)
    known = rng.integers(0, CASES, count)
    return [_session(cases, number, queries[number], int(known[number])) for number in range(count)]


def _session(cases: Cohort, number: int, q: Floats, known: int) -> Session:
    if number % 4 >= 2:
        q = cases.x[known].astype(np.float64)
    start: dict[str, Any] = {"latents": ((q + RESAVED * (number % 4 == 2)).tolist(),)}
    if number % 4 == 3:
        start = {"case": f"C{known:07d}"}
    filters = _filters(cases, q, number)
    request = SearchRequest(bundle_version="cohort-1", filters=filters, **start)
    again: list[dict[str, Any]] = [{"offset": 12}, {"preset": "visual"}, {"k": 24}]
    return Session([request], [request.model_copy(update=update) for update in again])


def _filters(cases: Cohort, q: Floats, number: int) -> Filters:
    """Met by most neighbours of the query, or by few of them; no two sessions have the same."""
    age, site = 50 + 15 * float(q[0]), str(_own_sites(cases, q[None])[0])
    low = round(float(np.clip(age - 20, 0, 60)) + number / 1e6, 6)
    ages = Between(low=low, high=low + 40, keep_unknown=True)
    at_site = AnyOf(field="site", values=(site,), keep_unknown=True)
    return (ages, at_site) if number % 2 else (ages, Not(of=at_site))


def _cases_in(answer: SearchResponse) -> int:
    """Cases that an answer is made from: the neighbours that vote, or the matches, and what is collapsed into them."""
    hidden = sum(len(match.hidden) for match in answer.matches)
    return max(answer.statistics.neighbours, len(answer.matches)) + hidden


def _bare(cases: Cohort, folder: Path) -> Callable[[SearchRequest, int], Callable[[], list[Any]]]:
    """The engine alone: an exact query for the payloads and latents of the nearest cases under the same filters."""
    folder.mkdir(parents=True)
    size, scale = cases.x.shape[1], np.sqrt(clinical_weights())
    vectors = {name: qe.EdgeVectorParams(size, qe.Distance.Euclid) for name in ("visual", "clinical")}
    shard = qe.EdgeShard.create(str(folder), qe.EdgeConfig(vectors=vectors))
    shard.update(qe.UpdateOperation.create_field_index("site", qe.PayloadSchemaType.Keyword))
    shard.update(qe.UpdateOperation.create_field_index("age", qe.PayloadSchemaType.Float))
    for batch in cases.stored(BATCH):
        points = [
            qe.Point(
                int(stored.case.id[1:]),
                {"visual": stored.latent.tolist(), "clinical": (stored.latent * scale).tolist()},
                stored.case.model_dump(exclude_none=True),
            )
            for stored in batch
        ]
        shard.update(qe.UpdateOperation.upsert_points(points))

    def prepared(request: SearchRequest, limit: int) -> Callable[[], list[Any]]:
        q = np.array(request.latents[0]) if request.latents else cases.x[int(str(request.case)[1:])]
        space = str(request.preset)

        def ask() -> list[Any]:
            query = qe.QueryRequest(
                limit=limit,
                query=qe.Query.Nearest((q * scale if space == "clinical" else q).tolist(), space),
                filter=edge_filter(request.filters),
                with_payload=True,
                with_vector=["visual"],
                params=qe.SearchParams(exact=True),
            )
            return [(point.payload, point.score, point.vector) for point in shard.query(query)]

        return ask

    return prepared


def _warm_up(searcher: Searcher, bare: Callable[[SearchRequest, int], Callable[[], list[Any]]], one: Session) -> None:
    """Count the collection and import what the first search imports; the sessions' own filters stay unknown."""
    for request in one.cached:
        plain = request.model_copy(update={"filters": ()})
        bare(plain, _cases_in(searcher.search(plain)))()


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count the calls to the embedded engine by kind."""
    counts = dict.fromkeys(("query", "count", "facet", "retrieve", "scroll"), 0)
    kinds: Sequence[str] = tuple(counts)

    def counting(kind: str) -> Callable[..., Any]:
        method = getattr(Shard, kind)

        def call(*arguments: Any, **options: Any) -> Any:
            counts[kind] += 1
            return method(*arguments, **options)

        return call

    patches = [patch.object(Shard, kind, counting(kind)) for kind in kinds]
    for one in patches:
        one.start()
    try:
        yield counts
    finally:
        for one in patches:
            one.stop()


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = perf_counter()
    answer = call()
    return answer, (perf_counter() - started) * 1000
