"""How a worker process runs one job, on a real Redis, without the process."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from casekin.contracts.projector import Job, JobState, Progress
from casekin.errors import BadInput, Unavailable
from services.projector.settings import ProjectorSettings
from services.projector.tasks.dispatch import JobRunner
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.worker_process import make_runner
from tests.integration.projector.own_kind import CaseCount, CountCases


class Scripted(JobHandler[CountCases, CaseCount]):
    """Does at each run what the next step of a script says."""

    payload, result, queue, max_retries = CountCases, CaseCount, "interactive", 1

    def __init__(self, *steps: Callable[[RunningJob[CountCases]], object], summarises_work: bool = False) -> None:
        self.steps, self.runs, self.discarded, self.summarises_work = list(steps), 0, 0, summarises_work

    def limit_s(self, settings: ProjectorSettings) -> int:
        return settings.click_limit_s

    def prepare(self, payload: CountCases, tools: SubmissionTools) -> tuple[CountCases, list[str]]:
        raise AssertionError("only the API prepares")

    def run(self, job: RunningJob[CountCases], tools: WorkerTools) -> CaseCount:
        self.runs += 1
        self.steps[min(self.runs, len(self.steps)) - 1](job)
        return CaseCount(cases=self.runs, size=0)

    def discard(self, job_id: str, tools: WorkerTools) -> None:
        self.discarded += 1


@pytest.fixture
def runner(free_url: Callable[[], str], tmp_path: Path) -> JobRunner:
    settings = ProjectorSettings(redis_url=free_url(), data=tmp_path, click_limit_s=7, retry_wait_s=0.05)
    return make_runner(settings)


def _submit(runner: JobRunner, content: str = '{"kind": "count", "diagnosis": "nv"}') -> None:
    runner.store.submit("a", "count", content, result_there=False)


def _run(runner: JobRunner, handler: Scripted, token: str = "a/1") -> Job:
    runner.run(handler, "a", token)
    return runner.store.job("a")


def _raise(error: BaseException) -> Callable[[object], object]:
    def step(_job: object) -> None:
        raise error

    return step


def _nothing(_job: object) -> None:
    return


def test_job__succeeds_with_its_result(runner: JobRunner) -> None:
    _submit(runner)
    handler = Scripted(_nothing)
    assert _run(runner, handler).state is JobState.SUCCEEDED
    assert runner.results.read("a") == b'{"cases":1,"size":0}'
    _run(runner, handler, "a/2")
    assert handler.runs == 1, "a second message about a finished job does nothing"


def test_job__whose_worker_died_after_storing_the_result_is_not_run_again(runner: JobRunner) -> None:
    _submit(runner)
    runner.results.write("a", CaseCount(cases=9, size=0))
    handler = Scripted(_nothing)
    assert _run(runner, handler).state is JobState.SUCCEEDED
    assert (handler.runs, runner.results.read("a")) == (0, b'{"cases":9,"size":0}')


def test_job__during_which_a_case_was_deleted_runs_again(runner: JobRunner) -> None:
    _submit(runner)
    handler = Scripted(lambda _: runner.deletions.renew(), _nothing)
    assert _run(runner, handler).state is JobState.SUCCEEDED
    assert (handler.runs, handler.discarded) == (2, 1)
    assert runner.results.read("a") == b'{"cases":2,"size":0}'


def test_job__during_which_cases_are_always_deleted_fails_and_leaves_no_result(runner: JobRunner) -> None:
    _submit(runner)
    handler = Scripted(lambda _: runner.deletions.renew())
    job = _run(runner, handler)
    assert (job.state, handler.runs, handler.discarded) == (JobState.FAILED, 3, 3)
    assert job.problem is not None
    assert job.problem.code == "conflict"
    assert "3 times in a row; submit it again" in job.problem.detail
    assert not runner.results.has("a")


def test_job__that_summarises_work_does_not_run_again_after_a_deletion(runner: JobRunner) -> None:
    """An ingest that ran again would bring the deleted case back."""
    _submit(runner)
    handler = Scripted(lambda _: runner.deletions.renew(), summarises_work=True)
    assert _run(runner, handler).state is JobState.SUCCEEDED
    assert (handler.runs, handler.discarded) == (1, 0)


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (BadInput("no such dimension"), "bad-input", "no such dimension"),
        (SoftTimeLimitExceeded(), "unavailable", "count took longer than its limit of 7 s"),
        (ZeroDivisionError("secret"), "unexpected", "the log of the workers has the trace under job a"),
    ],
)
def test_job__that_fails_names_the_problem(runner: JobRunner, error: Exception, code: str, detail: str) -> None:
    _submit(runner)
    job = _run(runner, Scripted(_raise(error)))
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert (job.problem.code, job.problem.detail) == (code, detail)
    assert not runner.results.has("a")


def test_job__whose_service_is_away_is_deferred_and_then_fails(runner: JobRunner) -> None:
    _submit(runner)
    handler = Scripted(_raise(Unavailable("search is away")))
    job = _run(runner, handler)
    assert (job.state, job.progress.message) == (
        JobState.QUEUED,
        "waits before another try: search is away",
    )
    _until(lambda: runner.store.is_due("a"))
    job = _run(runner, handler, "a/2")
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert job.problem.detail == "search is away"


def test_job__that_was_cancelled_stops_at_its_next_report_without_a_result(runner: JobRunner) -> None:
    _submit(runner)

    def cancelled(job: RunningJob[CountCases]) -> None:
        runner.store.cancel("a")
        job.report(Progress(fraction=0.5, message="half"))
        raise AssertionError("it must not get here")

    assert _run(runner, Scripted(cancelled)).state is JobState.CANCELLED
    assert not runner.results.has("a")


def test_payload__of_another_version_fails_by_name(runner: JobRunner) -> None:
    _submit(runner, '{"kind": "count", "diagnosis": "nv", "palette": "warm"}')
    job = _run(runner, Scripted(_nothing))
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert "another version of Casekin accepted this count" in job.problem.detail
    assert "palette" in job.problem.detail


def test_job__is_closed_although_redis_was_away_for_a_moment(
    runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    _submit(runner)
    finish, calls = type(runner.store).finish, []

    def away_once(self: object, *arguments: object) -> bool:
        calls.append(arguments)
        if len(calls) == 1:
            raise Unavailable("Redis is away")
        return bool(finish(self, *arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(type(runner.store), "finish", away_once)
    assert _run(runner, Scripted(_nothing)).state is JobState.SUCCEEDED
    assert len(calls) == 2


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
