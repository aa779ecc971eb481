"""The whole collection re-indexed for another bundle under 20 searches a second: does any fail, or err?

Encoder, search (embedded engine), job API and a worker run as processes of their own over the real cases. A second
encoder serves the shipped model with its dimensions reversed, so that a search which is answered from the other
bundle's index shows in its distances. While the job runs, cases are added and deleted. Then: switch, roll back,
switch again, delete the old index, all under the same searches, which from the first switch on come with latents of
both bundles. Each asks for a case of the collection by its own latent, and must find it at distance 0. Latencies count
from the moment at which a search was due. QUICK=1: 300 cases.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.places import BUNDLE, HAM10000
from benchmarks.report import is_quick, report
from benchmarks.second_bundle import reversed_bundle
from benchmarks.services import Redis, Worker, service
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import LoadedCollection, open_collection
from casekin.contracts.indexes import Switch
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.contracts.search import SearchRequest
from casekin.errors import CasekinError, Conflict
from casekin.ingest import Ingest, Kind

PER_SECOND = 20
ASKED, CHANGED = 100, 20
"""Cases that are searched for; cases that are added, and deleted, while the job runs."""
SETTLED_S = 3.0
"""Of searches after each switch."""
ZERO = 1e-3
"""Distance of a case to itself, in float32 and with some rounding of pixels."""
Query = tuple[str, str, list[float]]
"""Bundle version, id of the case, its latent."""


@dataclass
class Load:
    """Searches at a steady rate, whatever the answers; `queries` may be replaced at any time."""

    search: SearchClient
    queries: list[Query]
    took_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """For the length of the block."""
        ended = threading.Event()
        with ThreadPoolExecutor(PER_SECOND) as pool:
            clock = threading.Thread(target=self._tick, args=(pool, ended))
            clock.start()
            try:
                yield
            finally:
                ended.set()
                clock.join()

    def _tick(self, pool: ThreadPoolExecutor, ended: threading.Event) -> None:
        due, number = time.perf_counter(), 0
        while not ended.is_set():
            pool.submit(self._ask, self.queries[number % len(self.queries)], due)
            due, number = due + 1 / PER_SECOND, number + 1
            time.sleep(max(0.0, due - time.perf_counter()))

    def _ask(self, query: Query, due: float) -> None:
        version, case_id, latent = query
        request = SearchRequest(bundle_version=version, latents=(latent,), one_per_lesion=False, k=5)
        try:
            matches = self.search.search(request).matches
        except CasekinError as error:
            self.failed.append(f"{version}: {error}")
            return
        self.took_ms.append((time.perf_counter() - due) * 1000)
        itself = next((match.distance for match in matches if match.case.id == case_id), None)
        if itself is None or itself > ZERO:
            self.wrong.append(f"{version}: {case_id} was found at {itself}")


@dataclass(frozen=True)
class Station:
    """What runs."""

    old: EncoderClient
    new: EncoderClient
    new_url: str
    search: SearchClient
    jobs: ProjectorClient


@contextmanager
def station(folder: Path) -> Iterator[Station]:
    """All services, ready; the second encoder on the bundle in ``second`` of `folder`."""
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(folder / "redis"))
        (folder / "next").mkdir()
        old = stack.enter_context(service("encoder", folder, {"bundle": str(BUNDLE)}))
        new = stack.enter_context(service("encoder", folder / "next", {"bundle": str(folder / "second")}))
        search = stack.enter_context(service("search", folder, {"bundle": str(BUNDLE), "data": str(folder)}))
        shared = {"data": str(folder), "redis_url": redis.url, "search_url": search, "encoder_url": old}
        shared |= {"ingest_rate": "1000"}
        jobs = stack.enter_context(service("projector", folder, shared))
        stack.enter_context(Worker("bulk", folder, shared))
        yield Station(
            stack.enter_context(EncoderClient(old, timeout_s=120)),
            stack.enter_context(EncoderClient(new, timeout_s=120)),
            new,
            stack.enter_context(SearchClient(search, timeout_s=120, attempts=1)),
            stack.enter_context(ProjectorClient(jobs)),
        )


def queries(collection: LoadedCollection, encoder: EncoderClient) -> list[Query]:
    """Of `ASKED` cases, with the latents that `encoder` gives them."""
    rows = collection.rows[CHANGED :: max(1, len(collection.rows) // ASKED)][:ASKED]
    found = [(row.case.id, encoder.encode(row.image.read(), reconstruction=False)) for row in rows]
    return [(answer.bundle_version, case_id, answer.latent) for case_id, answer in found]


def ingest(at: Station, collection: LoadedCollection) -> None:
    """Bring a collection in."""
    summary = Ingest(at.old, at.search).run(collection)
    if summary.counts[Kind.INGESTED] != len(collection.rows):
        raise SystemExit(f"not all of {len(collection.rows)} cases were ingested: {dict(summary.skipped_by_code)}")


def change(at: Station, added: LoadedCollection, gone: list[str]) -> None:
    """Add and delete cases one by one, as a clinic does."""
    for row, case_id in zip(added.rows, gone, strict=True):
        ingest(at, replace(added, rows=[row]))
        at.search.delete_case(case_id)


def reindex(at: Station) -> None:
    """Run the job to its end."""
    result = at.jobs.wait(at.jobs.submit(Reindex(encoder_url=at.new_url)), ReindexResult, timeout_s=7200)
    if result.skipped:
        raise SystemExit(f"cases were not encoded: {result.skipped}")


def reindex_and_switch(at: Station, changing: threading.Thread) -> float:
    """Re-index, and once no more is added and deleted, switch; returns how many seconds that took."""
    began = time.perf_counter()
    reindex(at)
    changing.join()
    while True:
        reindex(at)
        with suppress(Conflict):
            at.search.switch(Switch(bundle_version=at.new.model().manifest.version))
            return time.perf_counter() - began


def settle(at: Station, load: Load, both: list[Query], versions: list[str]) -> None:
    """Search with latents of both bundles, and switch from one to the other and back, then delete the first."""
    old, new = versions
    load.queries = both
    for version in (old, new):
        time.sleep(SETTLED_S)
        at.search.switch(Switch(bundle_version=version))
    time.sleep(SETTLED_S)
    load.queries = [query for query in both if query[0] == new]
    time.sleep(SETTLED_S)  # no search on the old one is under way
    at.search.delete_index(old)
    time.sleep(SETTLED_S)


def check_cases(at: Station, expected: set[str]) -> None:
    """Stop where the new index does not have the cases that it must have."""
    held = {case.id for page in at.search.latents() for case in page.cases}
    if held != expected:
        raise SystemExit(f"{len(expected - held)} cases are missing, {len(held - expected)} are too many")


def main() -> None:
    """Measure and report."""
    quick, load_before = is_quick(), os.getloadavg()[0]
    whole = open_collection(HAM10000)
    rows = whole.rows[: 300 if quick else None]
    first, added = replace(whole, rows=rows[:-CHANGED]), replace(whole, rows=rows[-CHANGED:])
    gone = [row.case.id for row in rows[:CHANGED]]
    with tempfile.TemporaryDirectory(prefix="casekin-bench-") as name:
        old = read_manifest(BUNDLE).version
        new = reversed_bundle(BUNDLE, Path(name) / "second", f"{old}-reversed").version
        with station(Path(name)) as at:
            ingest(at, first)
            load = Load(at.search, queries(first, at.old))
            both = [one for pair in zip(load.queries, queries(first, at.new), strict=True) for one in pair]
            with load.running():
                changing = threading.Thread(target=change, args=(at, added, gone))
                changing.start()
                took_s = reindex_and_switch(at, changing)
                during_ms = list(load.took_ms)
                settle(at, load, both, [old, new])
            check_cases(at, {row.case.id for row in rows} - set(gone))
    figures = {
        "reindex_failed_searches": len(load.failed),
        "reindex_wrong_answers": len(load.wrong),
        "reindex_s": took_s,
        "searches_p95_ms": float(np.percentile(during_ms, 95)),
    }
    details: dict[str, float | str] = {
        "cases": len(first.rows),
        "searches": len(load.took_ms) + len(load.failed),
        "searches_while_reindexing": len(during_ms),
        "searches_p50_ms": float(np.percentile(during_ms, 50)),
        "first_failure": (load.failed or [""])[0],
        "first_wrong_answer": (load.wrong or [""])[0],
        "load_before": load_before,
    }
    report("reindex", figures, details, quick=quick)


if __name__ == "__main__":
    main()
