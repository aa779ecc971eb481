"""Jobs of all kinds while workers are killed and Redis restarts at random: does each end once, and right or by name?

Encoder, search (embedded engine) and job API run over phantoms, with a worker for each queue; a second encoder serves
the model with its dimensions reversed, for the re-index. Redis keeps what the compose file has it keep. First every job
is done undisturbed. Then the same jobs are submitted under an empty Redis and on an empty folder, the second index
deleted, while every few seconds a worker, its process or a child, is killed with SIGKILL (and started again, as the
launcher does) and Redis is stopped or killed and started on its files. A result is right if it is that of the
undisturbed job. QUICK=1: fewer jobs.
"""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import stamina.instrumentation

from benchmarks.places import BUNDLE
from benchmarks.report import is_quick, report
from benchmarks.second_bundle import reversed_bundle
from benchmarks.services import Redis, Worker, service, workers
from casekin.bundle import read_manifest
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.base import Contract
from casekin.contracts.export import Export, ExportResult
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.maps import MapFit, MapPlace, MapVersion
from casekin.contracts.projector import Job, JobState
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.contracts.rollouts import (
    Animation,
    AnimationResult,
    JointRollout,
    Rollout,
    Trajectory,
)
from casekin.errors import NotFound, Unavailable
from casekin.ingest import Ingest
from casekin.phantoms import write_phantoms
from services.projector.tasks.registry import HANDLERS

CASES = 80
RARE = 0.05
"""Share of the jobs that are fits, and that are ingests; one is an export, and one a re-index."""
SETTINGS = {"lease_s": "3", "sweep_s": "0.5", "retry_wait_s": "0.5", "log_level": "WARNING", "maps_kept": "100"}
NEXT = "reversed"
"""Version of the second bundle."""
PAUSE_S = (0.0, 0.4)
"""Between two jobs."""
KILL_S, RESTART_S = (0.5, 3.0), (6.0, 14.0)
"""Between two kills of a worker, and two restarts of Redis."""
TARGETS = {"interactive": 0.7, "bulk": 0.15, "maps": 0.15}
"""Shares of the kills: a maps worker needs a while to be up again."""
PATIENCE_S = 900.0
"""After the last fault."""
RESULTS: dict[str, type[Contract]] = {handler.name: handler.result for handler in HANDLERS}


@dataclass
class Breaker:
    """Breaks what can be broken until stopped, and counts."""

    redis: Redis
    workers: dict[str, Worker]
    worker_kills: int = 0
    redis_restarts: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Faults happen for the time of the block; after it all is up."""
        threads = [
            threading.Thread(target=self._again_and_again, args=(one, pauses, random.Random(seed)))
            for seed, (one, pauses) in enumerate(((self._kill, KILL_S), (self._restart, RESTART_S)))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def _again_and_again(
        self, fault: Callable[[random.Random], None], pauses: tuple[float, float], dice: random.Random
    ) -> None:
        while not self._stopping.wait(dice.uniform(*pauses)):
            fault(dice)

    def _kill(self, dice: random.Random) -> None:
        (queue,) = dice.choices(list(TARGETS), list(TARGETS.values()))
        self.worker_kills += self.workers[queue].kill(child=dice.random() < 0.5)

    def _restart(self, dice: random.Random) -> None:
        self.redis.stop(kill=dice.random() < 0.5)
        time.sleep(dice.uniform(0, 2))
        self.redis.start()
        self.redis_restarts += 1


@dataclass
class Witness:
    """Looks at the list of jobs all the time and notes how each ended, and whether that ever changed."""

    client: ProjectorClient
    ends: dict[str, set[str]] = field(default_factory=dict)
    """By job: state and moment of its end; more than one is an end that was seen twice."""
    listed: Counter[str] = field(default_factory=Counter)
    """By job: how often it stands in the list, at most."""

    def look(self) -> list[Job]:
        """Once; none where Redis is away."""
        try:
            jobs = self.client.recent(1000)
        except Unavailable:
            return []
        self.listed |= Counter(job.id for job in jobs)
        for job in jobs:
            ends = self.ends.setdefault(job.id, set())
            if job.state.final or ends:
                ends.add(f"{job.state.value} {job.finished}")
        return jobs

    def wait(self, accepted: set[str], seconds: float) -> None:
        """Look until all have ended, for so long at most."""
        deadline = time.monotonic() + seconds
        while not all(self.ends.get(job) for job in accepted) and time.monotonic() < deadline:
            self.look()
            time.sleep(0.2)

    def twice(self, accepted: set[str]) -> int:
        """How many ended twice or stand twice in the list."""
        return sum(len(self.ends.get(job, ())) > 1 or self.listed[job] > 1 for job in accepted)


def main() -> None:
    """Break things and report."""
    stamina.instrumentation.set_on_retry_hooks([])
    count = 9 if is_quick() else 200
    with tempfile.TemporaryDirectory() as name, services(Path(name)) as shared:
        with stage(Path(name) / "undisturbed", shared) as (client, _):
            base = first_map(client)
            requests = payloads(count, base, shared["next_encoder_url"])
            expected = {job.id: content(client, job.id, job.kind) for job in finished(client, requests)}
        with SearchClient(shared["search_url"]) as search:
            search.delete_index(NEXT)
        with stage(Path(name) / "disturbed", shared) as (client, breaker):
            assert first_map(client).id == base.id, "equal work has an equal name"
            witness = Witness(client)
            with breaker.at_work():
                accepted = {submitted(client, payload, witness) for payload in requests}
                witness.wait(accepted, len(requests) * 1.0)
            witness.wait(accepted, PATIENCE_S)
            figures = judged(client, witness, accepted, expected)
        with SearchClient(shared["search_url"]) as search:
            figures["cases_not_reindexed"] = float(len(search.lag(NEXT, None).cases))
    figures |= {"worker_kills": breaker.worker_kills, "redis_restarts": breaker.redis_restarts}
    report("faults-jobs", figures, dict(Counter(kind_of(payload) for payload in requests)), quick=is_quick())


@contextmanager
def services(folder: Path) -> Iterator[dict[str, str]]:
    """Settings of an encoder and a search with phantoms in it; these two are not disturbed."""
    shared = {"bundle": str(BUNDLE), "data": str(folder / "search"), "collections": str(folder), **SETTINGS}
    list(write_phantoms(folder / "phantoms", count=CASES, seed=4))
    reversed_bundle(BUNDLE, folder / NEXT, NEXT)
    (folder / "logs").mkdir()
    with ExitStack() as held:
        anew = held.enter_context(service("encoder", folder / "logs", {"bundle": str(folder / NEXT)}))
        shared["next_encoder_url"] = anew
        for name in ("encoder", "search"):
            shared[f"{name}_url"] = held.enter_context(service(name, folder, shared))
        with EncoderClient(shared["encoder_url"]) as encoder, SearchClient(shared["search_url"]) as search:
            Ingest(encoder, search).run(open_collection(folder / "phantoms"))
        yield shared


@contextmanager
def stage(folder: Path, shared: dict[str, str]) -> Iterator[tuple[ProjectorClient, Breaker]]:
    """A job API and workers over a Redis and a folder of their own."""
    with ExitStack() as held:
        redis = held.enter_context(Redis(folder / "redis"))
        settings = {**shared, "data": str(folder), "redis_url": redis.url}
        client = held.enter_context(ProjectorClient(held.enter_context(service("projector", folder, settings))))
        yield client, Breaker(redis, held.enter_context(workers(TARGETS, folder, settings)))


def first_map(client: ProjectorClient) -> MapVersion:
    """The map that clicks are on."""
    return client.wait(client.submit(MapFit(start="pca")), MapVersion, timeout_s=600)


def payloads(count: int, base: MapVersion, next_encoder_url: str) -> list[Contract]:
    """Jobs of all kinds in random order, each another; clicks are on the map `base`."""
    dice, rng, size = random.Random(5), np.random.default_rng(6), len(read_manifest(BUNDLE).dimensions)
    rare = max(1, round(RARE * count))
    requests: list[Contract] = [MapFit(start="pca", seed=100 + number) for number in range(rare)]
    requests += [Export(map_id=base.id), Reindex(encoder_url=next_encoder_url)]
    requests += [IngestPart(folder="phantoms", part=number + 1, parts=rare) for number in range(rare)]
    for number in range(count - len(requests)):
        latent = [float(f"{value:.6f}") for value in rng.normal(size=size)]
        requests.append(click(number, latent, base))
    dice.shuffle(requests)
    return requests


def kind_of(payload: Contract) -> str:
    """The kind of the job that it makes."""
    return str(type(payload).model_fields["kind"].default)


def click(number: int, latent: list[float], base: MapVersion) -> Contract:
    """The kinds that a clinician waits for, one after the other."""
    subject = {"bundle_version": base.bundle_version, "latent": latent, "map_id": base.id}
    match number % 5:
        case 0:
            return MapPlace.model_validate(subject)
        case 1:
            return Rollout.model_validate(subject | {"dimensions": [0, 1, 2]})
        case 2:
            return JointRollout.model_validate(subject | {"dimensions": (0, 1), "steps": 3})
        case 3:
            return Animation.model_validate(subject | {"dimension": 2, "frames": 5})
    return Trajectory.model_validate(subject | {"to": f"PHANTOM_0004_{number % CASES + 1:06d}", "steps": 5})


def finished(client: ProjectorClient, requests: list[Contract]) -> list[Job]:
    """All of them, undisturbed."""
    jobs = [client.submit(payload) for payload in requests]
    for job in jobs:
        client.wait(job, RESULTS[job.kind], timeout_s=600)
    return jobs


def submitted(client: ProjectorClient, payload: Contract, witness: Witness) -> str:
    """The id of the job, submitted until it is accepted; a pause after it."""
    while True:
        with suppress(Unavailable):
            job = client.submit(payload)
            break
        time.sleep(0.2)
    witness.look()
    time.sleep(random.Random(job.id).uniform(*PAUSE_S))
    return job.id


def content(client: ProjectorClient, job_id: str, kind: str) -> object:
    """What a job made, without what differs from run to run."""
    result = client.result(job_id, RESULTS[kind])
    if isinstance(result, MapVersion):
        fitted = client.map(result.id)
        return fitted.cases, fitted.x, fitted.y
    if isinstance(result, IngestResult):
        return result.ingested + result.replaced + result.unchanged, result.skipped
    if isinstance(result, ReindexResult):
        return result.bundle_version, result.source, result.cases, result.skipped
    return (result, client.file(job_id)) if isinstance(result, AnimationResult | ExportResult) else result


def judged(
    client: ProjectorClient, witness: Witness, accepted: set[str], expected: dict[str, object]
) -> dict[str, float]:
    """How the accepted jobs ended, and how many did not."""
    ended = Counter(verdict(client, job_id, expected[job_id]) for job_id in accepted)
    figures = {f"jobs_{name}": float(ended[name]) for name in ("right", "wrong", "failed_by_name", "lost")}
    return {"jobs_accepted": float(len(accepted)), **figures, "jobs_twice": float(witness.twice(accepted))}


def verdict(client: ProjectorClient, job_id: str, expected: object) -> str:
    """``right``, ``wrong``, ``failed_by_name`` or ``lost``."""
    try:
        job = client.job(job_id)
    except NotFound:
        return "lost"
    if job.state is JobState.SUCCEEDED:
        return "right" if content(client, job_id, job.kind) == expected else "wrong"
    named = job.state in (JobState.FAILED, JobState.PARKED) and job.problem is not None
    return "failed_by_name" if named else "lost"


if __name__ == "__main__":
    main()
