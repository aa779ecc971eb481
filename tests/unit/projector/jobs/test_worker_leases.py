"""What the parent of worker processes does: renews leases, kills cancelled work, closes or requeues lost jobs."""

from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker import state as worker_state
from celery.worker.request import Request
from redis import Redis

from casekin.contracts.projector import JobState
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.store import JobStore
from services.projector.jobs.worker_leases import lease_aware_request, lease_step
from services.projector.settings import ProjectorSettings
from tests.unit.projector.jobs.conftest import LEASE_S, Backdate

KINDS = {"rollout": JobKind("rollout", "interactive", limit_s=60, max_retries=3)}


class Parent:
    """The consumer of a worker: a timer that the test turns, and a pool."""

    def __init__(self) -> None:
        self.timer, self.pool = self, object()
        self.every_s, self.beat, self.cancelled, self.steps = 0.0, None, False, []

    def call_repeatedly(self, every_s: float, call: Any, arguments: tuple) -> "Parent":
        self.every_s, self.beat = every_s, lambda: call(*arguments)
        return self

    def cancel(self) -> None:
        self.cancelled = True


class ActiveRequest:
    def __init__(self, token: str) -> None:
        self.id, self.killed = token, []

    def terminate(self, pool: object, signal: str) -> None:
        self.killed.append((pool, signal))


@pytest.fixture
def parent() -> Parent:
    return Parent()


@pytest.fixture
def heartbeat(redis: Redis) -> Heartbeat:
    return Heartbeat(redis, LEASE_S)


@pytest.fixture
def step(store: JobStore, heartbeat: Heartbeat, parent: Parent) -> Any:
    return lease_step(store, heartbeat, ["maps", "bulk"], "here", every_s=2.5)(parent)


@pytest.fixture
def active(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> ActiveRequest:
    """A claimed job that a child works on."""
    store.submit("a", "rollout", "{}", result_there=False)
    store.claim("a", "a/1")
    request = ActiveRequest("a/1")
    monkeypatch.setattr(worker_state, "active_requests", {request})
    return request


def test_step__beats_from_the_start_and_leaves_at_the_end(
    step: Any, parent: Parent, heartbeat: Heartbeat, redis: Redis
) -> None:
    assert step.requires == ("celery.worker.consumer.tasks:Tasks",)
    step.start(parent)
    assert parent.every_s == 2.5
    assert (heartbeat.hosts("maps"), heartbeat.hosts("bulk")) == (["here"], ["here"])
    redis.delete("casekin:workers:maps", "casekin:workers:bulk")
    assert heartbeat.hosts("maps") == []
    parent.beat()
    assert heartbeat.hosts("bulk") == ["here"]
    step.stop(parent)
    assert parent.cancelled
    assert (heartbeat.hosts("maps"), heartbeat.hosts("bulk")) == ([], [])


def test_step__that_never_started_stops(step: Any, parent: Parent) -> None:
    step.stop(parent)
    assert not parent.cancelled


def test_step__renews_the_leases_of_what_runs(
    step: Any, parent: Parent, active: ActiveRequest, store: JobStore, backdate: Backdate
) -> None:
    step.start(parent)
    backdate("lease")
    parent.beat()
    assert store.abandon("a") is None
    assert active.killed == []


def test_step__kills_cancelled_work_at_the_second_beat(
    step: Any, parent: Parent, active: ActiveRequest, store: JobStore
) -> None:
    step.start(parent)
    store.cancel("a")
    parent.beat()
    assert active.killed == [], "it may stop by itself"
    parent.beat()
    assert active.killed == [(parent.pool, "KILL")]
    parent.beat()
    assert len(active.killed) == 1, "and after that it is warned again first"


def test_step__outlives_a_redis_that_is_away(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = connect("redis://127.0.0.1:9/0")
    store = JobStore(redis, ProjectorSettings())
    monkeypatch.setattr(worker_state, "active_requests", {ActiveRequest("a/1")})
    step = lease_step(store, Heartbeat(redis, 1), ["maps"], "here", every_s=1)(parent)
    step.start(parent)
    parent.beat()
    step.stop(parent)
    assert parent.cancelled


class Inherited:
    """What reached Celery's own request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.timeouts: list[tuple] = []
        self.failures: list[tuple] = []
        monkeypatch.setattr(Request, "on_timeout", lambda _self, *arguments: self.timeouts.append(arguments))
        monkeypatch.setattr(Request, "on_failure", lambda _self, *arguments: self.failures.append(arguments))


@pytest.fixture
def inherited(monkeypatch: pytest.MonkeyPatch) -> Inherited:
    return Inherited(monkeypatch)


@pytest.fixture
def request_of_a(store: JobStore, active: ActiveRequest) -> Any:
    return _request(store, active.id)


def _request(store: JobStore, token: str) -> Any:
    cls = lease_aware_request(store, KINDS)
    request = cls.__new__(cls)
    request.id, request.name = token, "rollout"
    return request


def test_request__killed_for_its_limit_fails_by_name(request_of_a: Any, store: JobStore, inherited: Inherited) -> None:
    request_of_a.on_timeout(True, 60)
    assert store.job("a").state is JobState.RUNNING, "the child itself says so at the soft limit"
    request_of_a.on_timeout(False, 70)
    job = store.job("a")
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert (job.problem.code, job.problem.detail) == (
        "unavailable",
        "rollout took longer than its limit of 60 s and was killed",
    )
    assert inherited.timeouts == [(True, 60), (False, 70)]


def test_request__whose_child_died_is_requeued(request_of_a: Any, store: JobStore, inherited: Inherited) -> None:
    lost = SimpleNamespace(type=WorkerLostError)
    request_of_a.on_failure(lost)
    assert store.job("a").state is JobState.QUEUED
    assert inherited.failures == [(lost, True, False)]


@pytest.mark.parametrize(
    ("error", "return_ok"), [(TimeLimitExceeded, False), (WorkerLostError, True)], ids=["killed", "returned"]
)
def test_request__that_was_closed_already_is_not_requeued(
    request_of_a: Any, store: JobStore, inherited: Inherited, error: type, return_ok: bool
) -> None:
    request_of_a.on_failure(SimpleNamespace(type=error), False, return_ok)
    assert store.job("a").state is JobState.RUNNING
    assert inherited.failures[0][1:] == (False, return_ok)


def test_request__of_another_delivery_changes_nothing(
    store: JobStore, active: ActiveRequest, inherited: Inherited
) -> None:
    other = _request(store, "a/other")
    other.on_failure(SimpleNamespace(type=WorkerLostError))
    other.on_timeout(False, 70)
    assert store.job("a").state is JobState.RUNNING


def test_request__outlives_a_redis_that_is_away(inherited: Inherited) -> None:
    away = _request(JobStore(connect("redis://127.0.0.1:9/0"), ProjectorSettings()), "a/1")
    away.on_timeout(False, 70)
    away.on_failure(SimpleNamespace(type=WorkerLostError))
    assert (len(inherited.timeouts), len(inherited.failures)) == (1, 1)
