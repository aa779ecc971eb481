"""What a sweep requeues, parks, leaves alone and deletes; on a real Redis."""

import asyncio
import itertools
import os
import time
from pathlib import Path

import pytest
from redis import Redis

from casekin.contracts.projector import JobState
from casekin.errors import Unavailable
from services.projector.jobs.broker import Publisher, create_celery
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.reaper import Reaper
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings
from services.projector.storage.job_results import JobResults
from tests.unit.projector.jobs.conftest import Backdate

KINDS = {"rollout": JobKind("rollout", "interactive", limit_s=60, max_retries=3)}


@pytest.fixture
def results(tmp_path: Path) -> JobResults:
    return JobResults(tmp_path, lifetime_s=60)


@pytest.fixture
def reaper(store: JobStore, results: JobResults, settings: ProjectorSettings) -> Reaper:
    return Reaper(store, results, Publisher(create_celery(settings, KINDS), KINDS), KINDS, patience_s=40)


def _claimed(store: JobStore, backdate: Backdate, *tokens: str) -> None:
    store.submit("a", "rollout", "{}", result_there=False)
    for token in tokens:
        assert store.claim("a", token) == "{}"
        backdate("lease")


def test_sweep__requeues_a_job_whose_worker_died(
    reaper: Reaper, store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    _claimed(store, backdate, "a/1")
    reaper.sweep()
    assert store.job("a").state is JobState.QUEUED
    assert redis.llen("interactive") == 1
    reaper.sweep()
    assert redis.llen("interactive") == 1, "once is enough"


def test_sweep__leaves_a_job_with_a_valid_lease(reaper: Reaper, store: JobStore, redis: Redis) -> None:
    store.submit("a", "rollout", "{}", result_there=False)
    store.claim("a", "a/1")
    reaper.sweep()
    assert (store.job("a").state, redis.llen("interactive")) == (JobState.RUNNING, 0)


def test_sweep__parks_a_job_that_lost_its_workers_and_sends_it_no_more(
    reaper: Reaper, store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    _claimed(store, backdate, "a/1", "a/2")
    reaper.sweep()
    assert (store.job("a").state, redis.llen("interactive")) == (JobState.PARKED, 0)


def test_sweep__sends_a_deferred_job_when_its_wait_is_over(
    reaper: Reaper, store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    store.submit("a", "rollout", "{}", result_there=False)
    store.claim("a", "a/1")
    store.defer("a", "a/1", wait_s=40, tries=1, message="away")
    reaper.sweep()
    assert redis.llen("interactive") == 0
    backdate("due")
    reaper.sweep()
    assert redis.llen("interactive") == 1


def test_sweep__sends_again_a_job_whose_message_was_lost_after_some_patience(
    reaper: Reaper, store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    store.submit("a", "rollout", "{}", result_there=False)
    reaper.sweep()
    assert redis.llen("interactive") == 0, "it may be on its way"
    backdate("queued")
    reaper.sweep()
    assert redis.llen("interactive") == 1
    backdate("queued")
    reaper.sweep()
    assert redis.llen("interactive") == 1, "its message waits there"


def test_sweep__leaves_jobs_of_unknown_kinds_and_goes_on(
    reaper: Reaper, store: JobStore, redis: Redis, backdate: Backdate
) -> None:
    store.submit("0", "repaint", "{}", result_there=False)
    store.claim("0", "0/1")
    _claimed(store, backdate, "a/1")
    reaper.sweep()
    assert store.job("0").state is JobState.RUNNING
    assert store.job("a").state is JobState.QUEUED
    assert redis.llen("interactive") == 1


def test_sweep__deletes_expired_results(reaper: Reaper, tmp_path: Path) -> None:
    old, new = tmp_path / "results" / "old.json", tmp_path / "results" / "new.json"
    for file in (old, new):
        file.write_text("{}")
    os.utime(old, (time.time() - 61,) * 2)
    reaper.sweep()
    assert (old.exists(), new.exists()) == (False, True)


async def test_run__sweeps_again_and_again_whatever_fails(reaper: Reaper, monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[float] = []

    def sweep(_self: Reaper) -> None:
        moments.append(time.monotonic())
        if len(moments) < 3:
            raise [Unavailable("Redis is away"), OSError("full")][len(moments) - 1]

    monkeypatch.setattr(Reaper, "sweep", sweep)
    began = time.monotonic()
    task = asyncio.create_task(reaper.run(0.05))
    while len(moments) < 4:
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()
    assert moments[0] - began >= 0.05
    assert all(after - before >= 0.05 for before, after in itertools.pairwise(moments))
