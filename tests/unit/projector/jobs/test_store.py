"""The book of jobs on a real server: claims, leases, and who may do what."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from casekin.contracts.projector import JobState, Progress
from casekin.errors import NotFound
from services.projector.jobs.heartbeat import connect
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings


@pytest.fixture
def store(free_url: Callable[[], str]) -> JobStore:
    settings = ProjectorSettings(redis_url=free_url(), lease_s=1.1, deliveries=2)
    return JobStore(connect(settings.redis_url), settings)


def _submit(store: JobStore, job_id: str = "a", *, there: bool = False) -> bool:
    return store.submit(job_id, "rollout", "{}", result_there=there)[1]


def test_submit__is_new_once_and_again_after_it_ended_badly(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: _submit(store), range(32))) == 1
    store.cancel("a")
    assert _submit(store)
    store.claim("a", "a/1")
    store.finish("a", "a/1", JobState.SUCCEEDED)
    assert not _submit(store, there=True)
    assert _submit(store, there=False), "its result is gone"


def test_submit__of_a_forgotten_job_whose_result_is_there_has_succeeded(store: JobStore) -> None:
    job, new = store.submit("a", "rollout", "{}", result_there=True)
    assert (job.state, job.progress.fraction, new) == (JobState.SUCCEEDED, 1.0, False)
    assert store.live() == []


def test_claim__is_for_one_delivery_only(store: JobStore) -> None:
    _submit(store)
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: store.claim("a", f"a/{n}"), range(8)))
    assert sorted(claimed, key=str) == sorted([None] * 7 + ["{}"], key=str)
    assert store.claim("unknown", "unknown/1") is None


def test_claim__passes_on_when_the_lease_ran_out_and_the_first_holder_is_locked_out(store: JobStore) -> None:
    _submit(store)
    assert store.claim("a", "a/1") == "{}"
    time.sleep(1.2)
    assert store.claim("a", "a/2") == "{}"
    assert not store.report("a", "a/1", Progress(fraction=0.5, message="late"))
    assert not store.finish("a", "a/1", JobState.SUCCEEDED)
    assert store.report("a", "a/2", Progress(fraction=0.6, message="here", remaining_s=3))
    assert store.job("a").progress == Progress(fraction=0.6, message="here", remaining_s=3)


def test_lease__that_is_renewed_holds(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    for _ in range(4):
        time.sleep(0.4)
        assert store.renew("a", "a/1") is JobState.RUNNING
        assert store.abandon("a") is None
    assert store.renew("unknown", "a/1") is None


def test_abandon__puts_back_until_there_were_too_many_deliveries(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    assert store.abandon("a", "a/other") is None, "another delivery's death is not this one's"
    assert store.abandon("a", "a/1") is JobState.QUEUED
    store.claim("a", "a/2")
    assert store.abandon("a", "a/2") is JobState.PARKED
    job = store.job("a")
    assert job.state is JobState.PARKED
    assert job.problem is not None
    assert job.problem.code == "unexpected"
    assert "lost its worker 2 times" in job.problem.detail
    assert store.claim("a", "a/3") is None


def test_parked__is_listed_and_asked_for_again_only_after_it_was_let_go(store: JobStore) -> None:
    _submit(store)
    _submit(store, "b")
    for token in ("a/1", "a/2"):
        store.claim("a", token)
        store.abandon("a", token)
    assert not _submit(store)
    assert [job.id for job in store.recent(10, JobState.PARKED)] == ["a"]
    assert store.cancel("a").state is JobState.CANCELLED
    assert store.recent(10, JobState.PARKED) == []
    assert _submit(store)
    assert store.claim("a", "a/3") == "{}"


def test_defer__waits_twice_as_long_each_time_and_then_no_more(store: JobStore) -> None:
    _submit(store)
    for token, wait_s in (("a/1", 0.2), ("a/2", 0.4)):
        assert store.claim("a", token) == "{}"
        assert store.defer("a", token, wait_s=0.2, tries=2, message="search is away")
        began = time.monotonic()
        assert store.job("a").state is JobState.QUEUED
        assert store.job("a").progress.message == "search is away"
        assert store.claim("a", "a/early") is None
        assert not store.remind("a", 0)
        while not store.is_due("a"):
            assert time.monotonic() - began < wait_s + 5
            time.sleep(0.01)
        assert time.monotonic() - began >= wait_s - 0.05
        assert not store.is_due("a"), "only one copy of the API sends it on"
    assert store.claim("a", "a/3") == "{}", "two tries that were put back count for no dead worker"
    assert not store.defer("a", "a/3", wait_s=0.2, tries=2, message="")
    assert not store.defer("a", "a/other", wait_s=0.2, tries=9, message="")
    assert store.finish("a", "a/3", JobState.FAILED)


def test_cancel__is_final_but_never_undoes_a_result(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    assert store.cancel("a").state is JobState.CANCELLED
    assert not store.report("a", "a/1", Progress(fraction=0.5, message="on"))
    assert not store.finish("a", "a/1", JobState.SUCCEEDED)
    assert store.job("a").state is JobState.CANCELLED
    _submit(store, "b")
    store.claim("b", "b/1")
    store.finish("b", "b/1", JobState.SUCCEEDED)
    assert store.cancel("b").state is JobState.SUCCEEDED
    with pytest.raises(NotFound):
        store.cancel("c")


def test_remind__speaks_once_per_wait(store: JobStore) -> None:
    _submit(store)
    assert not store.remind("a", 0.2)
    time.sleep(0.25)
    assert store.remind("a", 0.2)
    assert not store.remind("a", 0.2)
    assert not store.remind("unknown", 0)


def test_recent__is_newest_first(store: JobStore) -> None:
    for job_id in ("a", "b", "c"):
        _submit(store, job_id)
        time.sleep(0.002)
    assert [job.id for job in store.recent(2)] == ["c", "b"]
    assert store.live() == [("a", "rollout"), ("b", "rollout"), ("c", "rollout")]
