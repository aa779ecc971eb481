"""Upload -> ranked matches through the HTTP services, beside a bare loop in the same run.

Encoder and search (embedded engine) run as processes of their own over a fresh folder that the real cases are ingested
into; this process is the client and asks for the reconstruction as the page does. Rounds of one client, of eight
clients and of the bare loop alternate, so that a busy moment of the machine meets all three. QUICK=1: 1,000 cases and
shorter rounds.
"""

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.bare import BareLoop, Graphs
from benchmarks.places import BUNDLE, DATA, HAM10000
from benchmarks.report import is_quick, report
from benchmarks.services import service
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, SearchClient
from casekin.collections import open_collection
from casekin.ingest import Ingest, Kind

MANY = 8


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: int | None
    """Of the collection; none takes all."""
    rounds: int
    seconds: float
    """Of each measurement in a round."""


FULL, QUICK = Plan(None, rounds=6, seconds=6), Plan(1000, rounds=2, seconds=3)


class Uploader:
    """One user's way: an image to the encoder, its latent to search.

    It speaks plain `http.client`: a browser's share of the work is not done on the server's cores, so the less of them
    the load generator takes, the truer the figures.
    """

    def __init__(self, encoder: str, search: str) -> None:
        self.encoder, self.search = (HTTPConnection(urlsplit(url).netloc, timeout=60) for url in (encoder, search))

    def upload(self, image: bytes) -> dict[str, Any]:
        """The answer of search to `image`: ranked matches."""
        encoded = _post(self.encoder, "/v1/encode", image, "application/octet-stream")
        query = {"bundle_version": encoded["bundle_version"], "latents": [encoded["latent"]]}
        return _post(self.search, "/v1/search", json.dumps(query).encode(), "application/json")

    def close(self) -> None:
        """Give the connections back."""
        self.encoder.close()
        self.search.close()


def _post(to: HTTPConnection, path: str, body: bytes, kind: str) -> dict[str, Any]:
    to.request("POST", path, body, {"Content-Type": kind})
    answer = to.getresponse()
    content = answer.read()
    if answer.status != HTTPStatus.OK:
        raise SystemExit(f"{path} answered {answer.status}: {content[:500]!r}")
    found: dict[str, Any] = json.loads(content)
    return found


@dataclass
class Rounds:
    """What was measured so far."""

    alone_ms: list[float] = field(default_factory=list)
    together_ms: list[float] = field(default_factory=list)
    uploads_per_s: list[float] = field(default_factory=list)
    bare_per_s: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """The six figures."""
        return {
            "upload_p50_ms_1": float(np.percentile(self.alone_ms, 50)),
            "upload_p95_ms_1": float(np.percentile(self.alone_ms, 95)),
            "upload_p50_ms_8": float(np.percentile(self.together_ms, 50)),
            "upload_p95_ms_8": float(np.percentile(self.together_ms, 95)),
            "uploads_per_s": float(np.mean(self.uploads_per_s)),
            "bare_share": float(np.mean(self.uploads_per_s) / np.mean(self.bare_per_s)),
        }


def measure(users: list[Uploader], queries: list[bytes], seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each upload while `users` upload without pause for `seconds`, and uploads a second."""
    took: list[list[float]] = [[] for _ in users]
    started = time.perf_counter()

    def work(number: int) -> None:
        users[
            number
        ].close()  # a service ends connections that idled through the other rounds; the next call opens anew
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


def check_matches(user: Uploader, graphs: Graphs, ids: list[str], latents: NDArray[np.float32], image: bytes) -> None:
    """Stop where the services rank otherwise than the bare loop: its figures would be of another task."""
    found = user.upload(image)["matches"][0]["case"]["id"]
    expected = ids[graphs.nearest(graphs.latent(image), latents)[0]]
    if found != expected:
        raise SystemExit(f"the services' nearest case is {found}, the bare loop's {expected}")


def main() -> None:
    """Measure and report."""
    quick, load = is_quick(), os.getloadavg()[0]
    plan, rounds, cores = QUICK if quick else FULL, Rounds(), len(os.sched_getaffinity(0))
    queries = [path.read_bytes() for path in sorted((DATA / "ham10000_600x450").glob("*.jpg"))]
    with (
        tempfile.TemporaryDirectory(prefix="casekin-bench-") as name,
        service("encoder", Path(name), {"bundle": str(BUNDLE)}) as encoder,
        service("search", Path(name), {"bundle": str(BUNDLE), "data": name}) as search,
    ):
        images_per_s = ingest(encoder, search, plan.cases)
        ids, latents = collection_latents(search)
        users = [Uploader(encoder, search) for _ in range(MANY)]
        for image in queries[:10]:
            check_matches(users[0], Graphs(BUNDLE), ids, latents, image)
        with BareLoop(cores, BUNDLE, latents, queries) as bare:
            measure(users, queries, plan.seconds / 3)
            for _ in range(plan.rounds):
                rounds.alone_ms += measure(users[:1], queries, plan.seconds)[0]
                took, rate = measure(users, queries, plan.seconds)
                rounds.together_ms += took
                rounds.uploads_per_s.append(rate)
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
        "load_before": load,
    }
    report("upload", rounds.figures(), details, quick=quick)


if __name__ == "__main__":
    main()
