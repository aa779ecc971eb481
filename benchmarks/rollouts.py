"""All dimensions of a query times eleven steps, with neighbours and place of each step, as the page requests them.

Encoder, search (embedded engine), Redis, job API and an interactive worker run as processes of their own over real
cases and a map of them; this process is the client and waits for each result. Queries are latents of real images that
are not in the collection. The share of ONNX Runtime is the median time of the bare decoder for the latents of one
rollout, in the same batches, on as many threads as there are cores, over the median of the rollouts in the same run.
At last a maps worker fits a map of synthetic cases, and rollouts are requested during all of that. QUICK=1: fewer cases
and rounds, and a smaller fit.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from benchmarks.map import synthetic
from benchmarks.places import BUNDLE, HAM10000
from benchmarks.report import is_quick, report
from benchmarks.services import Redis, Worker, service
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import Row, open_collection
from casekin.contracts.maps import MapFit, MapPlace, MapVersion, Placement
from casekin.contracts.projector import JobState
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.ingest import Ingest
from services.encoder.settings import EncoderSettings
from services.projector.latents.collection_latents import CollectionReader
from services.projector.storage.deletion_mark import DeletionMark

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: int | None
    """Of the collection; none takes all but the queries."""
    queries: int
    fitted_beside: int
    """Synthetic cases of the map that is fitted meanwhile."""


WARM_UP = 6
"""Rollouts before the first that counts."""
HELD_BACK = 200
"""Images that are queries and not in the collection: more than are needed before the fit, after which they repeat."""
DECODED = 10
"""Rollouts whose latents the bare decoder gets too."""
FULL, QUICK = Plan(None, queries=60, fitted_beside=100_000), Plan(300, queries=8, fitted_beside=1_000)


@dataclass(frozen=True)
class Stack:
    """What runs, and how it was set."""

    client: ProjectorClient
    folder: Path
    settings: dict[str, str]


def main() -> None:
    """Measure and report."""
    plan = QUICK if is_quick() else FULL
    manifest = read_manifest(BUNDLE)
    D = len(manifest.dimensions)
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), plan) as running:
        client, queries = running.client, rollouts_of(running.settings["encoder_url"])
        warm_up(client, [next(queries) for _ in range(WARM_UP)])
        payloads = [next(queries) for _ in range(plan.queries)]
        first = [timed(client, payload) for payload in payloads]
        again = [timed(client, payload) for payload in payloads]
        placed = [place(client, payload) for payload in payloads]
        decoder = decoder_ms([latents_of(client, payload) for payload in payloads[:DECODED]])
        beside = during_fit(running, queries, plan.fitted_beside, D)
    p95 = float(np.percentile(first, 95))
    figures = {
        "rollouts_p95_ms": p95,
        "rollouts_repeat_p95_ms": float(np.percentile(again, 95)),
        "onnxruntime_share": decoder / float(np.median(first)),
        "rollouts_p95_during_fit_ratio": float(np.percentile(beside, 95)) / p95,
    }
    details: dict[str, float | str] = {
        "bundle": manifest.version,
        "images": 11 * D,
        "rollouts_p50_ms": float(np.median(first)),
        "decoder_p50_ms": decoder,
        "rollouts_p50_during_fit_ratio": float(np.median(beside) / np.median(first)),
        "place_job_p95_ms": float(np.percentile(placed, 95)),
        "fitted_beside": plan.fitted_beside,
        "rollouts_during_fit": len(beside),
    }
    report("rollouts", figures, details, quick=is_quick())


def rollouts_of(encoder_url: str) -> Iterator[Rollout]:
    """Rollouts of the images left out of the collection, one after the other, each payload a new one.

    From the second round on a latent differs from that of its image by far less than a pixel makes.
    """
    with EncoderClient(encoder_url) as encoder:
        answers = [encoder.encode(row.image.read(), reconstruction=False) for row in rows()[:HELD_BACK]]
    for round_ in itertools.count():
        for answer in answers:
            latent = [value + 1e-6 * round_ for value in answer.latent]
            yield Rollout(bundle_version=answer.bundle_version, latent=latent)


def rows() -> list[Row]:
    """All cases in an order that has nothing to do with the table's."""
    loaded = open_collection(HAM10000).rows
    return [loaded[row] for row in np.random.default_rng(2).permutation(len(loaded))]


@contextmanager
def stack(folder: Path, plan: Plan) -> Iterator[Stack]:
    """All services over the collection, with a current map of it."""
    shared = {"bundle": str(BUNDLE), "data": str(folder / "data"), "log_level": "WARNING"}
    with ExitStack() as stack_:
        shared["redis_url"] = stack_.enter_context(Redis(folder / "redis")).url
        for name in ("encoder", "search"):
            shared[f"{name}_url"] = stack_.enter_context(service(name, folder, shared))
        url = stack_.enter_context(service("projector", folder, shared))
        ingest(shared, plan.cases)
        client = stack_.enter_context(ProjectorClient(url))
        with Worker("maps", folder, shared):
            client.wait(client.submit(MapFit()), MapVersion, timeout_s=1800)
        stack_.enter_context(Worker("interactive", folder, shared))
        yield Stack(client, folder, shared)


def ingest(urls: dict[str, str], cases: int | None) -> None:
    """Ingest the real cases but those that are rolled out."""
    kept = rows()[HELD_BACK:][:cases]
    loaded = replace(open_collection(HAM10000), rows=kept)
    with EncoderClient(urls["encoder_url"]) as encoder, SearchClient(urls["search_url"], timeout_s=120) as search:
        Ingest(encoder, search).run(loaded)


def warm_up(client: ProjectorClient, payloads: list[Rollout]) -> None:
    """Submit all at the same time, so that each process of the worker has done both kinds."""
    with ThreadPoolExecutor(len(payloads)) as pool:
        list(pool.map(lambda payload: (timed(client, payload), place(client, payload)), payloads))


def timed(client: ProjectorClient, payload: Rollout) -> float:
    """Milliseconds from the request to the result in hand."""
    began = time.perf_counter()
    client.wait(client.submit(payload), RolloutResult, timeout_s=60)
    return (time.perf_counter() - began) * 1000


def place(client: ProjectorClient, payload: Rollout) -> float:
    """Likewise, to the place of the same query on the map."""
    assert payload.latent is not None
    query = MapPlace(bundle_version=payload.bundle_version, latent=payload.latent)
    began = time.perf_counter()
    client.wait(client.submit(query), Placement, timeout_s=60)
    return (time.perf_counter() - began) * 1000


def latents_of(client: ProjectorClient, payload: Rollout) -> Floats:
    """The latents [N,D] that the encoder decoded for a rollout."""
    result = client.wait(client.submit(payload), RolloutResult, timeout_s=60)
    steps = [np.asarray(payload.latent)]
    for row in result.rows:
        for value in row.values:
            step = steps[0].copy()
            step[row.dimension] = value
            steps.append(step)
    return np.stack(steps).astype(np.float32)


def decoder_ms(rollouts: list[Floats]) -> float:
    """Median milliseconds that ONNX Runtime alone takes for the images of one rollout, on all cores."""
    batch = EncoderSettings().decode_batch
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(BUNDLE / "decoder.onnx", options, providers=["CPUExecutionProvider"])
    took = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for latents in [rollouts[0], *rollouts]:
            parts = [latents[first : first + batch] for first in range(0, len(latents), batch)]
            began = time.perf_counter()
            list(pool.map(lambda part: session.run(["image"], {"latent": part}), parts))
            took.append((time.perf_counter() - began) * 1000)
    return float(np.median(took[1:]))


def during_fit(running: Stack, queries: Iterator[Rollout], cases: int, dimensions: int) -> list[float]:
    """Milliseconds of one new query after the other, from the start to the end of a fit of so many synthetic cases.

    They lie in the cache of the collection that the maps worker reads, in a data folder of its own.
    """
    data, client, took = running.folder / "beside", running.client, []
    with SearchClient(running.settings["search_url"]) as search:
        now = search.collection()
        made = synthetic(cases, dimensions=dimensions, bundle_version=now.bundle_version, revision=now.revision)
        CollectionReader(data / "projector", search, DeletionMark(data / "projector")).store(made)
    with Worker("maps", running.folder, running.settings | {"data": str(data)}):
        job = client.submit(MapFit(start="pca", seed=8))
        while not (job := client.job(job.id)).state.final:
            if job.state is JobState.RUNNING:
                took.append(timed(client, next(queries)))
    assert job.state is JobState.SUCCEEDED, job
    return took


if __name__ == "__main__":
    main()
