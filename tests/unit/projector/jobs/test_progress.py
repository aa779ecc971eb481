"""Progress: how it is stored, how a cancel is noticed, and the stages of a job."""

import pytest

from casekin.contracts.projector import Progress
from services.projector.jobs.heartbeat import connect
from services.projector.jobs.progress import Cancelled, Reporter, Stage
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings


def test_stage__fills_its_share_of_the_whole() -> None:
    seen: list[Progress] = []
    stage = Stage(seen.append, 0.2, 0.6, lambda done, total: f"{done} of {total}")
    for done in (0, 1, 2, 4):
        stage(done, 4)
    assert [progress.fraction for progress in seen] == pytest.approx([0.2, 0.3, 0.4, 0.6])
    assert [progress.message for progress in seen] == ["0 of 4", "1 of 4", "2 of 4", "4 of 4"]
    assert {progress.remaining_s for progress in seen} == {None}


def test_stage__that_is_the_last_estimates_what_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 140.0])
    monkeypatch.setattr("services.projector.jobs.progress.time.monotonic", lambda: next(clock))
    seen: list[Progress] = []
    stage = Stage(seen.append, 0.0, 1.0, lambda _done, _total: "", last=True)
    stage(0, 4)
    stage(1, 4)
    stage(4, 4)
    assert [progress.remaining_s for progress in seen] == [None, 30.0, 0.0]


def test_stage__with_nothing_to_do_is_done() -> None:
    seen: list[Progress] = []
    Stage(seen.append, 0.0, 0.5, lambda _done, _total: "")(0, 0)
    assert seen[0].fraction == 0.5


@pytest.fixture
def running(store: JobStore) -> JobStore:
    store.submit("a", "rollout", "{}", result_there=False)
    store.claim("a", "a/1")
    return store


class Clock:
    """Stands still until it is turned."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("services.projector.jobs.progress.time.monotonic", clock)
    return clock


def test_reporter__stores_progress_but_not_too_often(running: JobStore, clock: Clock) -> None:
    report = Reporter(running, "a", "a/1")
    report(Progress(fraction=0.1, message="first"))
    clock.now += 0.19
    report(Progress(fraction=0.2, message="too soon"))
    assert running.job("a").progress.message == "first"
    clock.now += 0.02
    report(Progress(fraction=0.3, message="later"))
    assert running.job("a").progress == Progress(fraction=0.3, message="later")


def test_reporter__notices_within_a_fifth_of_a_second_that_the_job_was_cancelled(
    running: JobStore, clock: Clock
) -> None:
    report = Reporter(running, "a", "a/1")
    report(Progress(fraction=0.1, message="first"))
    running.cancel("a")
    report(Progress(fraction=0.2, message="not looked at yet"))
    clock.now += 0.21
    with pytest.raises(Cancelled, match=r"^a$"):
        report(Progress(fraction=0.3, message="now"))


def test_reporter__of_a_delivery_that_lost_the_job_stops(running: JobStore) -> None:
    with pytest.raises(Cancelled):
        Reporter(running, "a", "a/other")(Progress(fraction=0.1, message="mine"))


def test_reporter__works_on_while_redis_is_away() -> None:
    away = JobStore(connect("redis://127.0.0.1:9/0"), ProjectorSettings())
    Reporter(away, "a", "a/1")(Progress(fraction=0.1, message="unseen"))


def test_stage__never_exceeds_its_share() -> None:
    seen: list[Progress] = []
    Stage(seen.append, 0.2, 0.6, lambda done, total: "")(9, 4)
    assert seen[0].fraction == pytest.approx(0.6)
