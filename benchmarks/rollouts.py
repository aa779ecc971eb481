"""All dimensions of a query times eleven steps, with neighbours and place of each step, as the page asks for them.

Encoder, search (embedded engine), Redis, job API and a worker for clicks run as processes of their own over real cases
and a map of them; this process is the client and waits for each result. The share of ONNX Runtime is that of the bare
decoder on the same latents in the same batches, on as many threads as there are cores, in the same run. At last the
map of synthetic cases is fitted beside them, at the priority of a maps worker. QUICK=1: fewer cases and rounds, and a
smaller fit.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.collection import BUNDLE, DATA
from benchmarks.map import fit_synthetic
from benchmarks.report import is_quick, report
from benchmarks.services import Redis, Worker, service
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.maps import MapFit, MapPlace, MapVersion, Placement
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.ingest import Ingest
from services.encoder.settings import EncoderSettings
from services.projector.consumer import BACKGROUND_NICENESS


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: int | None
    """Of the collection; none takes all."""
    queries: int
    fitted_beside: int
    """Synthetic cases of the map that is fitted meanwhile."""


FULL, QUICK = Plan(None, queries=60, fitted_beside=100_000), Plan(300, queries=8, fitted_beside=4_000)


def main() -> None:
    """Measure and report."""
    plan = QUICK if is_quick() else FULL
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), plan) as client:
        version = read_manifest(BUNDLE).version
        latents = np.random.default_rng(2).normal(size=(plan.queries + 2, len(read_manifest(BUNDLE).dimensions)))
        asked = [Rollout(bundle_version=version, latent=latent.tolist()) for latent in latents]
        for payload in asked[:2]:
            timed(client, payload)
        first = [timed(client, payload) for payload in asked[2:]]
        again = [timed(client, payload) for payload in asked[2:]]
        placed = [place(client, version, latent) for latent in latents]
        with fit_beside(plan.fitted_beside):
            beside = [timed(client, shifted(payload)) for payload in asked[2:]]
        decoder = decoder_ms(latents.shape[1])
    p95 = float(np.percentile(first, 95))
    figures = {
        "rollouts_p95_ms": p95,
        "rollouts_repeat_p95_ms": float(np.percentile(again, 95)),
        "onnxruntime_share": decoder / float(np.median(first)),
    }
    details: dict[str, float | str] = {
        "bundle": version,
        "images": 11 * latents.shape[1],
        "rollouts_p50_ms": float(np.median(first)),
        "decoder_ms": decoder,
        "place_job_p95_ms": float(np.percentile(placed[2:], 95)),
        "beside_a_fit_of": plan.fitted_beside,
        "beside_a_fit_p95_ratio": float(np.percentile(beside, 95)) / p95,
    }
    report("rollouts", figures, details, quick=is_quick())


@contextmanager
def stack(folder: Path, plan: Plan) -> Iterator[ProjectorClient]:
    """All services over the collection, with a current map of it."""
    shared = {"bundle": str(BUNDLE), "data": str(folder / "data"), "log_level": "WARNING"}
    with ExitStack() as held:
        shared["redis_url"] = held.enter_context(Redis(folder / "redis")).url
        for name in ("encoder", "search"):
            shared[f"{name}_url"] = held.enter_context(service(name, folder, shared))
        url = held.enter_context(service("projector", folder, shared))
        bring_in(shared, plan.cases)
        client = held.enter_context(ProjectorClient(url))
        with Worker("maps", folder, shared):
            client.wait(client.submit(MapFit()), MapVersion, timeout_s=1800)
        held.enter_context(Worker("interactive", folder, shared))
        yield client


def bring_in(urls: dict[str, str], cases: int | None) -> None:
    """Ingest the real cases."""
    loaded = open_collection(DATA)
    del loaded.rows[cases if cases is not None else len(loaded.rows) :]
    with EncoderClient(urls["encoder_url"]) as encoder, SearchClient(urls["search_url"], timeout_s=120) as search:
        Ingest(encoder, search).run(loaded)


def timed(client: ProjectorClient, payload: Rollout) -> float:
    """Milliseconds from the request to the result in hand."""
    began = time.perf_counter()
    client.wait(client.submit(payload), RolloutResult, timeout_s=60)
    return (time.perf_counter() - began) * 1000


def place(client: ProjectorClient, version: str, latent: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Likewise, to the place on the map."""
    began = time.perf_counter()
    client.wait(client.submit(MapPlace(bundle_version=version, latent=latent.tolist())), Placement, timeout_s=60)
    return (time.perf_counter() - began) * 1000


def shifted(payload: Rollout) -> Rollout:
    """Another query, so that nothing of it is known."""
    assert payload.latent is not None
    return payload.model_copy(update={"latent": [value + 0.01 for value in payload.latent]})


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


@contextmanager
def fit_beside(cases: int) -> Iterator[None]:
    """A map of so many cases is fitted, again and again, for the time of the block."""
    process = get_context("spawn").Process(target=keep_fitting, args=(cases,), daemon=True)
    process.start()
    time.sleep(20 if cases > 50_000 else 5)  # beyond its imports
    try:
        yield
    finally:
        process.kill()
        process.join()


def keep_fitting(cases: int) -> None:
    """Never returns."""
    os.nice(BACKGROUND_NICENESS)
    while True:
        fit_synthetic(cases, cases)


if __name__ == "__main__":
    main()
