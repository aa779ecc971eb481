"""Upload -> ranked matches through the HTTP services, beside a bare loop in the same run.

Encoder and search (embedded engine) run as processes of their own over a fresh folder that the real cases are ingested
into; this process is the client and sends what the page sends. Rounds of one client, of eight clients, of search alone
and of the bare loop alternate, so that a busy moment of the machine meets all of them. QUICK=1: 1,000 cases and shorter
rounds.

What a search costs beside the search itself is its shell: HTTP, checks, log, metrics, the hop to a thread, JSON.
`search_shell_ms` is the median time of ``POST /v1/search`` over HTTP by one client less the median time of the same
searches by the same code in this process on a copy of the same index. `health_request_ms` is the same client against
``GET /health``, which FastAPI serves. `generator_share` is this process's share of all cores while eight
clients upload.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bare import BareLoop, Graphs
from benchmarks.places import BUNDLE, DATA, HAM10000
from benchmarks.report import is_quick, report
from benchmarks.services import service
from benchmarks.upload_client import Uploader, page_request
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.search import SearchRequest, SearchResponse
from casekin.ingest import Ingest, Kind
from services.search.app import assemble
from services.search.retrieval.search import Searcher
from services.search.settings import SearchSettings
from services.search.vector_store.factory import engine_of

MANY = 8


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: int | None
    """Of the collection; none takes all."""
    rounds: int
    seconds: float
    """Of each measurement in a round."""
    repeats: int
    """Of each of the sixty searches in a round of search alone."""


FULL, QUICK = Plan(None, rounds=6, seconds=6, repeats=5), Plan(1000, rounds=2, seconds=3, repeats=3)


@dataclass
class Rounds:
    """What was measured so far."""

    alone_ms: list[float] = field(default_factory=list)
    together_ms: list[float] = field(default_factory=list)
    uploads_per_s: list[float] = field(default_factory=list)
    bare_per_s: list[float] = field(default_factory=list)
    generator_share: list[float] = field(default_factory=list)
    search_ms: list[float] = field(default_factory=list)
    """Of a search over HTTP by one client."""
    searcher_ms: list[float] = field(default_factory=list)
    """Of the same search without a service around it."""
    health_ms: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """All that is reported."""
        return {
            "upload_p50_ms_1": float(np.percentile(self.alone_ms, 50)),
            "upload_p95_ms_1": float(np.percentile(self.alone_ms, 95)),
            "upload_p50_ms_8": float(np.percentile(self.together_ms, 50)),
            "upload_p95_ms_8": float(np.percentile(self.together_ms, 95)),
            "uploads_per_s": float(np.mean(self.uploads_per_s)),
            "bare_share": float(np.mean(self.uploads_per_s) / np.mean(self.bare_per_s)),
            "generator_share": float(np.mean(self.generator_share)),
            "search_shell_ms": float(np.median(self.search_ms) - np.median(self.searcher_ms)),
        }


def measure(users: list[Uploader], queries: list[bytes], seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each upload while `users` upload without pause for `seconds`, and uploads a second."""
    took: list[list[float]] = [[] for _ in users]
    started = time.perf_counter()

    def work(number: int) -> None:
        users[number].close()  # a service ends connections that idled; the next call opens anew
        for image in islice(cycle(queries), number * 7, None):
            before = time.perf_counter()
            if before - started > seconds:
                return
            users[number].upload(image)
            took[number].append((time.perf_counter() - before) * 1000)

    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(work, range(len(users))))
    elapsed = time.perf_counter() - started
    flat = [value for each in took for value in each]
    return flat, len(flat) / elapsed


def measure_shell(rounds: Rounds, user: Uploader, searcher: Searcher, bodies: list[bytes]) -> None:
    """One client searching over HTTP, the same searches in this process, and a request for health, in turn."""
    requests = [SearchRequest.model_validate_json(body) for body in bodies]
    user.close()
    for body in bodies[:10]:
        user.search.post("/v1/search", body, "application/json")
    rounds.search_ms += [_ms(partial(user.search.post, "/v1/search", body, "application/json")) for body in bodies]
    for request in requests[:10]:
        searcher.search(request)
    rounds.searcher_ms += [_ms(partial(searcher.search, request)) for request in requests]
    rounds.health_ms += [_ms(partial(user.search.get, "/health")) for _ in bodies]


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


@contextmanager
def searcher_on_a_copy(folder: Path, copy: Path) -> Iterator[Searcher]:
    """The searcher of the live index in this process, over a copy of the data that a stopped service has left."""
    shutil.copytree(folder, copy)
    settings = SearchSettings(bundle=BUNDLE, data=copy)
    parts = assemble(settings, engine_of(settings))
    try:
        yield parts.indexes.live().searcher
    finally:
        parts.indexes.close()


def ingest(encoder: str, search: str, cases: int | None) -> float:
    """Bring the real cases in; returns images a second."""
    collection = open_collection(HAM10000)
    chosen = replace(collection, rows=collection.rows[:cases])
    started = time.perf_counter()
    with EncoderClient(encoder) as to_encoder, SearchClient(search) as to_search:
        summary = Ingest(to_encoder, to_search).run(chosen)
    count = summary.counts[Kind.INGESTED]
    if count != len(chosen.rows):
        raise SystemExit(f"{count} of {len(chosen.rows)} cases were ingested: {dict(summary.skipped_by_code)}")
    return count / (time.perf_counter() - started)


def collection_latents(search: str) -> tuple[list[str], NDArray[np.float32]]:
    """Ids and latents [N,D] of all cases."""
    ids, latents = [], []
    with SearchClient(search) as client:
        for page in client.latents():
            ids += [case.id for case in page.cases]
            latents += page.latents
    return ids, np.array(latents, np.float32)


def check(user: Uploader, graphs: Graphs, ids: list[str], latents: NDArray[np.float32], image: bytes) -> None:
    """Stop where the services rank otherwise than the bare loop, or the client sends what the page would not."""
    encoded = user.encode(image)
    body = user.search_body(encoded)
    if SearchRequest.model_validate_json(body) != SearchRequest.model_validate_json(page_request(encoded)):
        raise SystemExit(f"the client sends {body[:500]!r}, the page {page_request(encoded)[:500]!r}")
    answer = SearchResponse.model_validate_json(user.upload(image))
    own = {one.case.id for one in answer.own}  # search sets cases of the query's own lesion apart; the bare loop cannot
    ranked = (ids[row] for row in graphs.nearest(graphs.latent(image), latents, len(own) + 1))
    expected = next(case_id for case_id in ranked if case_id not in own)
    if (found := answer.matches[0].case.id) != expected:
        raise SystemExit(f"the services' nearest case is {found}, the bare loop's {expected}")


def main() -> None:
    """Measure and report."""
    quick, load = is_quick(), os.getloadavg()[0]
    plan, rounds, cores = QUICK if quick else FULL, Rounds(), len(os.sched_getaffinity(0))
    queries = [path.read_bytes() for path in sorted((DATA / "ham10000_600x450").glob("*.jpg"))]
    with (
        tempfile.TemporaryDirectory(prefix="casekin-bench-") as name,
        service("encoder", Path(name), {"bundle": str(BUNDLE)}) as encoder,
    ):
        folder, data = Path(name), Path(name) / "data"
        settings = {"bundle": str(BUNDLE), "data": str(data)}
        with service("search", folder, settings) as search:
            images_per_s = ingest(encoder, search, plan.cases)
            ids, latents = collection_latents(search)
        with searcher_on_a_copy(data, folder / "copy") as searcher, service("search", folder, settings) as search:
            users = [Uploader(encoder, search) for _ in range(MANY)]
            for image in queries[:10]:
                check(users[0], Graphs(BUNDLE), ids, latents, image)
            bodies = [users[0].search_body(users[0].encode(image)) for image in queries]
            with BareLoop(cores, BUNDLE, latents, queries) as bare:
                measure(users, queries, plan.seconds / 3)
                for _ in range(plan.rounds):
                    rounds.alone_ms += measure(users[:1], queries, plan.seconds)[0]
                    cpu, began = time.process_time(), time.perf_counter()
                    took, rate = measure(users, queries, plan.seconds)
                    share = (time.process_time() - cpu) / (time.perf_counter() - began) / cores
                    rounds.generator_share.append(share)
                    rounds.together_ms += took
                    rounds.uploads_per_s.append(rate)
                    measure_shell(rounds, users[0], searcher, bodies * plan.repeats)
                    rounds.bare_per_s.append(bare.rate(plan.seconds))
            for user in users:
                user.close()
    details = {
        "bundle": read_manifest(BUNDLE).version,
        "cases": len(ids),
        "dimensions": latents.shape[1],
        "rounds": plan.rounds,
        "bare_per_s": float(np.mean(rounds.bare_per_s)),
        "ingested_images_per_s": images_per_s,
        "search_ms": float(np.median(rounds.search_ms)),
        "search_itself_ms": float(np.median(rounds.searcher_ms)),
        "health_request_ms": float(np.median(rounds.health_ms)),
        "load_before": load,
    }
    report("upload", rounds.figures(), details, quick=quick)


if __name__ == "__main__":
    main()
