"""Jobs in Redis: states, claims, leases, and which worker may change what."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from casekin.contracts.problem import Problem
from casekin.contracts.projector import JobState, Progress
from casekin.errors import NotFound, Unavailable
from services.projector.jobs.heartbeat import connect
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings
from tests.unit.projector.jobs.conftest import LEASE_S, Backdate


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


def test_claim__passes_on_when_the_lease_ran_out_and_the_first_holder_is_locked_out(
    store: JobStore, backdate: Backdate
) -> None:
    _submit(store)
    assert store.claim("a", "a/1") == "{}"
    backdate("lease")
    assert store.claim("a", "a/2") == "{}"
    assert not store.report("a", "a/1", Progress(fraction=0.5, message="late"))
    assert not store.finish("a", "a/1", JobState.SUCCEEDED)
    assert store.report("a", "a/2", Progress(fraction=0.6, message="here", remaining_s=3))
    assert store.job("a").progress == Progress(fraction=0.6, message="here", remaining_s=3)


def test_lease__that_is_renewed_holds(store: JobStore, redis: Redis, backdate: Backdate) -> None:
    _submit(store)
    store.claim("a", "a/1")
    _assert_leased(redis)
    backdate("lease")
    assert store.renew("a", "a/1") is JobState.RUNNING
    _assert_leased(redis)
    assert store.abandon("a") is None
    assert store.renew("unknown", "a/1") is None


def _assert_leased(redis: Redis) -> None:
    left = float(redis.hget("casekin:job:a", "lease")) / 1000 - time.time()
    assert LEASE_S - 20 < left <= LEASE_S


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


def test_defer__waits_twice_as_long_each_time_and_then_no_more(
    store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    _submit(store)
    for token, wait_s in (("a/1", 40), ("a/2", 80)):
        assert store.claim("a", token) == "{}"
        assert store.defer("a", token, wait_s=40, tries=2, message="search is away")
        assert store.job("a").state is JobState.QUEUED
        left = float(redis.hget("casekin:job:a", "due")) / 1000 - time.time()
        assert wait_s - 20 < left <= wait_s
        assert store.claim("a", "a/early") is None
        assert not store.is_due("a")
        backdate("queued")
        assert not store.remind("a", 0), "it waits and has lost no message"
        backdate("due")
        assert store.is_due("a")
        assert not store.is_due("a"), "only one copy of the API sends it on"
    assert store.claim("a", "a/3") == "{}", "two tries that were put back count for no dead worker"
    assert not store.defer("a", "a/3", wait_s=40, tries=2, message="")
    assert not store.defer("a", "a/other", wait_s=40, tries=9, message="")
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


def test_remind__speaks_once_per_wait(store: JobStore, backdate: Backdate) -> None:
    _submit(store)
    assert not store.remind("a", 40)
    backdate("queued")
    assert store.remind("a", 40)
    assert not store.remind("a", 40)
    assert not store.remind("unknown", 0)
    store.claim("a", "a/1")
    backdate("queued")
    assert not store.remind("a", 40), "it runs"


def test_recent__is_newest_first(store: JobStore) -> None:
    for job_id in ("a", "b", "c"):
        _submit(store, job_id)
        time.sleep(0.002)
    assert [job.id for job in store.recent(2)] == ["c", "b"]
    assert store.live() == [("a", "rollout"), ("b", "rollout"), ("c", "rollout")]


KEEP_S = 700
"""Seven lifetimes of a result."""
PROBLEM = Problem(type="urn:x", title="T", status=503, code="unavailable", detail="search is away")


def test_job__carries_its_times_and_the_place_of_its_result(store: JobStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    _submit(store)
    queued = store.job("a")
    assert (queued.id, queued.kind, queued.state) == ("a", "rollout", JobState.QUEUED)
    assert (queued.started, queued.finished, queued.result, queued.problem) == (None, None, None, None)
    assert queued.progress == Progress(fraction=0, message="queued")
    store.claim("a", "a/1")
    running = store.job("a")
    assert running.progress == Progress(fraction=0, message="starting")
    assert running.started is not None
    assert (running.finished, running.result) == (None, None)
    store.finish("a", "a/1", JobState.SUCCEEDED)
    done = store.job("a")
    assert done.finished is not None
    assert before < done.created <= done.started <= done.finished < datetime.now(UTC) + timedelta(seconds=1)
    assert (done.result, done.progress) == ("/v1/jobs/a/result", Progress(fraction=1, message="done"))


def test_job__that_failed_says_why_and_has_no_result(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    assert store.finish("a", "a/1", JobState.FAILED, PROBLEM)
    failed = store.job("a")
    assert (failed.state, failed.problem, failed.result) == (JobState.FAILED, PROBLEM, None)
    assert failed.progress.fraction == 0
    assert _submit(store), "it may be tried again"
    assert store.job("a").problem is None


@pytest.mark.parametrize("end", ["succeeded", "cancelled", "parked"])
def test_job__that_is_final_keeps_no_payload_and_is_forgotten_later(store: JobStore, redis: Redis, end: str) -> None:
    _submit(store)
    store.claim("a", "a/1")
    store.report("a", "a/1", Progress(fraction=0.5, message="on", remaining_s=2))
    if end == "succeeded":
        store.finish("a", "a/1", JobState.SUCCEEDED)
    elif end == "cancelled":
        store.cancel("a")
    else:
        store.abandon("a", "a/1")
        store.claim("a", "a/2")
        store.abandon("a", "a/2")
    assert store.job("a").state == end
    kept = redis.hgetall("casekin:job:a")
    assert not kept.keys() & {"payload", "token", "lease", "due", "remaining"}
    assert KEEP_S - 5 < redis.ttl("casekin:job:a") <= KEEP_S
    assert store.live() == []


def test_job__that_is_not_final_is_never_forgotten(store: JobStore, redis: Redis) -> None:
    _submit(store)
    assert redis.ttl("casekin:job:a") == -1
    store.claim("a", "a/1")
    assert redis.ttl("casekin:job:a") == -1


def test_submit__while_it_runs_is_known_and_changes_nothing(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    for there in (False, True):
        job, new = store.submit("a", "rollout", "other", result_there=there)
        assert (new, job.state) == (False, JobState.RUNNING)
    assert store.finish("a", "a/1", JobState.SUCCEEDED)


def test_submit__of_a_stored_result_is_remembered_as_long_as_any(store: JobStore, redis: Redis) -> None:
    _submit(store, there=True)
    assert KEEP_S - 5 < redis.ttl("casekin:job:a") <= KEEP_S
    assert [job.id for job in store.recent(5)] == ["a"]


def test_unknown_job__is_told_how_long_jobs_are_remembered(store: JobStore) -> None:
    with pytest.raises(NotFound) as raised:
        store.job("x" * 100)
    assert raised.value.detail == f"no job {'x' * 64!r}; jobs are forgotten 0.194 hours after they end"
    assert store.kind("x") is None


def test_progress__is_rounded_and_forgets_an_estimate_that_is_gone(store: JobStore) -> None:
    _submit(store)
    store.claim("a", "a/1")
    assert store.report("a", "a/1", Progress(fraction=0.123456, message="epoch 3", remaining_s=7.26))
    assert store.job("a").progress == Progress(fraction=0.1235, message="epoch 3", remaining_s=7.3)
    store.report("a", "a/1", Progress(fraction=0.5, message="epoch 9"))
    assert store.job("a").progress.remaining_s is None


def test_report__renews_the_lease(store: JobStore, redis: Redis, backdate: Backdate) -> None:
    _submit(store)
    store.claim("a", "a/1")
    backdate("lease")
    store.report("a", "a/1", Progress(fraction=0.5, message="on"))
    _assert_leased(redis)
    assert store.claim("a", "a/2") is None


def test_renew__of_another_delivery_does_not_hold_the_lease(store: JobStore, backdate: Backdate) -> None:
    _submit(store)
    store.claim("a", "a/1")
    backdate("lease")
    store.renew("a", "a/other")
    assert store.abandon("a") is JobState.QUEUED


def test_abandon__starts_over_and_leaves_what_does_not_run(store: JobStore) -> None:
    _submit(store)
    assert store.abandon("a") is None, "it does not run"
    store.claim("a", "a/1")
    store.report("a", "a/1", Progress(fraction=0.5, message="half", remaining_s=3))
    assert store.abandon("a") is None, "its lease is valid"
    assert store.abandon("a", "a/1") is JobState.QUEUED
    assert store.job("a").progress == Progress(fraction=0, message="queued")
    assert not store.report("a", "a/1", Progress(fraction=0.6, message="late"))
    assert store.claim("a", "a/2") == "{}"


def test_claim__beyond_the_deliveries_parks_the_job(store: JobStore, backdate: Backdate) -> None:
    _submit(store)
    for token in ("a/1", "a/2"):
        assert store.claim("a", token) == "{}"
        backdate("lease")
    assert store.claim("a", "a/3") is None
    job = store.job("a")
    assert job.state is JobState.PARKED
    assert job.problem is not None
    assert "lost its worker 2 times and is parked" in job.problem.detail
    assert "cancel it to let the same work be submitted again" in job.problem.detail


def test_deferred_job__says_why_and_keeps_its_payload(store: JobStore, backdate: Backdate) -> None:
    _submit(store)
    store.claim("a", "a/1")
    store.report("a", "a/1", Progress(fraction=0.5, message="half", remaining_s=3))
    store.defer("a", "a/1", wait_s=40, tries=1, message="search is away")
    assert store.job("a").progress == Progress(fraction=0, message="search is away")
    assert not store.finish("a", "a/1", JobState.SUCCEEDED), "the lease is given up"
    assert store.abandon("a") is None
    backdate("due")
    assert store.claim("a", "a/2") == "{}", "a message that comes after the wait may take it"
    assert not store.is_due("a"), "it runs already"


def test_recent__of_a_state_looks_beyond_the_newest(store: JobStore) -> None:
    for job_id in ("a", "b", "c", "d"):
        _submit(store, job_id)
        time.sleep(0.002)
    store.cancel("a")
    store.cancel("b")
    assert [job.id for job in store.recent(1, JobState.CANCELLED)] == ["b"]
    assert [job.id for job in store.recent(9, JobState.CANCELLED)] == ["b", "a"]
    assert [job.id for job in store.recent(9)] == ["d", "c", "b", "a"]


def test_recent__and_live_pass_over_what_was_forgotten(store: JobStore, redis: Redis) -> None:
    _submit(store, "a")
    _submit(store, "b")
    redis.delete("casekin:job:a")
    assert [job.id for job in store.recent(9)] == ["b"]
    assert store.live() == [("b", "rollout")]
    assert redis.smembers("casekin:jobs:live") == {"b"}


def test_recent__remembers_the_last_thousand(store: JobStore, redis: Redis) -> None:
    redis.zadd("casekin:jobs:recent", {f"old-{number}": number for number in range(1000)})
    _submit(store)
    assert redis.zcard("casekin:jobs:recent") == 1000
    assert redis.zrange("casekin:jobs:recent", 0, 0) == ["old-1"]


def test_waiting__counts_messages_of_a_queue(store: JobStore, redis: Redis) -> None:
    assert store.waiting("maps") == 0
    redis.rpush("maps", "one", "two")
    assert (store.waiting("maps"), store.waiting("bulk")) == (2, 0)


def test_store__without_redis_is_unavailable_in_every_method() -> None:
    away = JobStore(connect("redis://127.0.0.1:9/0"), ProjectorSettings())
    calls: list[Callable[[], object]] = [
        away.ping,
        away.live,
        lambda: away.job("a"),
        lambda: away.kind("a"),
        lambda: away.recent(5),
        lambda: away.waiting("maps"),
        lambda: away.claim("a", "a/1"),
        lambda: away.submit("a", "rollout", "{}", result_there=False),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match=r"job store \(Redis\) does not answer") as raised:
            call()
        assert raised.value.retry_after_s == 2


def test_ping__of_a_server_that_answers_is_silent(store: JobStore) -> None:
    store.ping()
    store.close()
    store.ping()
