"""All dimensions of a query times eleven steps, with neighbours and place of each step, as the page asks for them.

Encoder, search (embedded engine), Redis, job API and a worker for clicks run as processes of their own over real cases
and a map of them; this process is the client and waits for each result. The share of ONNX Runtime is that of the bare
decoder on the same latents in the same batches, on as many threads as there are cores, in the same run. At last a maps
worker fits a map of synthetic cases, and rollouts are asked for during all of that. QUICK=1: fewer cases and rounds,
and a smaller fit.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.map import synthetic
from benchmarks.places import BUNDLE, HAM10000
from benchmarks.report import is_quick, report
from benchmarks.services import Redis, Worker, service
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.maps import MapFit, MapPlace, MapVersion, Placement
from casekin.contracts.projector import JobState
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.ingest import Ingest
from services.encoder.settings import EncoderSettings
from services.projector.latents.collection_latents import CollectionReader


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: int | None
    """Of the collection; none takes all."""
    queries: int
    fitted_beside: int
    """Synthetic cases of the map that is fitted meanwhile."""


WARMING = 6
"""Rollouts before the first that counts."""
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
        client, queries = running.client, rollouts_of(manifest.version, D)
        warm_up(client, [next(queries) for _ in range(WARMING)])
        asked = [next(queries) for _ in range(plan.queries)]
        first = [timed(client, payload) for payload in asked]
        again = [timed(client, payload) for payload in asked]
        placed = [place(client, payload) for payload in asked]
        beside = during_fit(running, queries, plan.fitted_beside, D)
        decoder = decoder_ms(D)
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
        "decoder_ms": decoder,
        "place_job_p95_ms": float(np.percentile(placed, 95)),
        "fitted_beside": plan.fitted_beside,
        "rollouts_during_fit": len(beside),
    }
    report("rollouts", figures, details, quick=is_quick())


def rollouts_of(version: str, dimensions: int) -> Iterator[Rollout]:
    """A new query each time, so that nothing of it is known."""
    rng = np.random.default_rng(2)
    while True:
        yield Rollout(bundle_version=version, latent=rng.normal(size=dimensions).tolist())


@contextmanager
def stack(folder: Path, plan: Plan) -> Iterator[Stack]:
    """All services over the collection, with a current map of it."""
    shared = {"bundle": str(BUNDLE), "data": str(folder / "data"), "log_level": "WARNING"}
    with ExitStack() as held:
        shared["redis_url"] = held.enter_context(Redis(folder / "redis")).url
        for name in ("encoder", "search"):
            shared[f"{name}_url"] = held.enter_context(service(name, folder, shared))
        url = held.enter_context(service("projector", folder, shared))
        run(shared, plan.cases)
        client = held.enter_context(ProjectorClient(url))
        with Worker("maps", folder, shared):
            client.wait(client.submit(MapFit()), MapVersion, timeout_s=1800)
        held.enter_context(Worker("interactive", folder, shared))
        yield Stack(client, folder, shared)


def run(urls: dict[str, str], cases: int | None) -> None:
    """Ingest the real cases."""
    loaded = open_collection(HAM10000)
    del loaded.rows[cases if cases is not None else len(loaded.rows) :]
    with EncoderClient(urls["encoder_url"]) as encoder, SearchClient(urls["search_url"], timeout_s=120) as search:
        Ingest(encoder, search).run(loaded)


def warm_up(client: ProjectorClient, payloads: list[Rollout]) -> None:
    """Ask for all at the same time, so that each process of the worker has done some and placed some."""
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


def decoder_ms(dimensions: int) -> float:
    """Milliseconds that ONNX Runtime alone takes for the images of one rollout, on all cores; the best of three."""
    batch = EncoderSettings().decode_batch
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(BUNDLE / "decoder.onnx", options, providers=["CPUExecutionProvider"])
    latents = np.random.default_rng(3).normal(size=(11 * dimensions + 1, dimensions)).astype(np.float32)
    parts = [latents[first : first + batch] for first in range(0, len(latents), batch)]
    took = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in range(4):
            began = time.perf_counter()
            list(pool.map(lambda part: session.run(["image"], {"latent": part}), parts))
            took.append((time.perf_counter() - began) * 1000)
    return min(took[1:])


def during_fit(running: Stack, queries: Iterator[Rollout], cases: int, dimensions: int) -> list[float]:
    """Milliseconds of one new query after the other, from the begin to the end of a fit of so many synthetic cases.

    They lie where the maps worker keeps what it has read of the collection: in a data folder of its own.
    """
    data, client, took = running.folder / "beside", running.client, []
    with SearchClient(running.settings["search_url"]) as search:
        now = search.collection()
        made = synthetic(cases, dimensions=dimensions, bundle_version=now.bundle_version, revision=now.revision)
        CollectionReader(data / "projector" / "gallery", search).keep(made)
    with Worker("maps", running.folder, running.settings | {"data": str(data)}):
        job = client.submit(MapFit(start="pca", seed=8))
        while not (job := client.job(job.id)).state.final:
            if job.state is JobState.RUNNING:
                took.append(timed(client, next(queries)))
    assert job.state is JobState.SUCCEEDED, job
    return took


if __name__ == "__main__":
    main()
