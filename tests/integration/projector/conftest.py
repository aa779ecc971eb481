"""A real Redis-compatible server, the real encoder on the tiny bundle, the real API, and real workers as processes."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from casekin.clients import ProjectorClient
from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.projector.app import create_app
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.settings import ProjectorSettings
from tests.integration.projector.small_search import SmallCollection, clusters, create_small_search
from tests.serving import serving
from tests.warm_start import Started, start


@dataclass
class Station:
    """All that a job needs, under one roof."""

    settings: ProjectorSettings
    collection: SmallCollection
    redis: Redis
    numba: Path
    process: Started | None = None

    @contextmanager
    def api(self) -> Iterator[ProjectorClient]:
        with serving(create_app(self.settings)) as url, ProjectorClient(url, attempts=1) as client:
            yield client

    @contextmanager
    def worker(self, queue: str, log: Path, *, module: str = "services.projector.worker") -> Iterator[Started]:
        """A worker process on `queue`, once it is up; its log goes to a file."""
        with log.open("ab") as stream:
            process = start(module, "--queues", queue, env=self.environment(), output=stream)
        try:
            self.wait_for_worker(queue, process, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_for_worker(self, queue: str, process: Started, log: Path) -> None:
        heartbeat = Heartbeat(self.redis, self.settings.lease_s)
        deadline = time.monotonic() + 170
        while not heartbeat.hosts(queue):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-3000:])
            time.sleep(0.05)

    def children(self) -> list[int]:
        """Process ids of those that do the jobs of the worker `process`."""
        assert self.process is not None
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def environment(self) -> dict[str, str]:
        named = {
            f"CASEKIN_{name.upper()}": str(value) for name, value in self.settings.model_dump(exclude_none=True).items()
        }
        return {**os.environ, **named, "NUMBA_CACHE_DIR": str(self.numba)}


@pytest.fixture(scope="session")
def encoder_url(tiny_bundle: Path) -> Iterator[str]:
    with serving(create_encoder(EncoderSettings(bundle=tiny_bundle, log_level="WARNING"))) as url:
        yield url


@pytest.fixture(scope="module")
def make_station(
    pytestconfig: pytest.Config, free_url: Callable[[], str], encoder_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Station]]:
    """Builds a station on an empty database; settings by keyword."""
    collection = SmallCollection(clusters(60))
    numba = pytestconfig.cache.mkdir("numba")  # compiled code is kept for the next run
    with serving(create_small_search(collection)) as search_url:

        def make(**changed: object) -> Station:
            base = {
                "data": tmp_path_factory.mktemp("projector"),
                "redis_url": changed.get("redis_url") or free_url(),
                "search_url": search_url,
                "encoder_url": encoder_url,
                "interactive_processes": 1,
                "port": 0,
                "log_level": "WARNING",
            }
            settings = ProjectorSettings.model_validate(base | changed)
            return Station(settings, collection, connect(settings.redis_url), numba)

        yield make


@pytest.fixture(scope="module")
def station(make_station: Callable[..., Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """With a worker for what a clinician waits for; a module that wants others has a fixture of its own."""
    station = make_station()
    with station.worker("interactive", tmp_path_factory.mktemp("logs") / "worker.log") as station.process:
        yield station


@pytest.fixture(scope="module")
def client(station: Station) -> Iterator[ProjectorClient]:
    """Of the station's own API."""
    with station.api() as client:
        yield client
