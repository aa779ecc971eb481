"""What a worker does with a message: claim the job, run its handler, store the result, close the job."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from celery.worker.request import Request
from pydantic import ValidationError

from casekin.contracts.base import Contract
from casekin.contracts.projector import JobState
from casekin.errors import CasekinError, Conflict, Unavailable, Unexpected
from casekin.service.problems import describe
from services.projector.jobs.broker import job_of
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.progress import Cancelled, Reporter
from services.projector.jobs.store import JobStore
from services.projector.storage.deletion_mark import DeletionMark
from services.projector.storage.job_results import JobResults
from services.projector.tasks.handler import AnyHandler, RunningJob, WorkerTools

log = structlog.get_logger("projector")
_CLOSING_S = (0.1, 0.5, 2, 5, 10, 20)
"""Waits between attempts to close a job while Redis is away; after that its lease brings it back."""
_RUNS = 3
"""Of one job, when cases are deleted while it runs."""


@dataclass(frozen=True)
class JobRunner:
    """Runs claimed jobs in one worker process."""

    store: JobStore
    results: JobResults
    deletions: DeletionMark
    tools: WorkerTools

    def run(self, handler: AnyHandler, job_id: str, token: str) -> None:
        """Do the job unless it is done, cancelled or claimed by another worker; a failure ends as a listed problem."""
        content = self.store.claim(job_id, token)
        if content is None:
            return
        began, kind = time.monotonic(), handler.kind(self.tools.settings)
        try:
            problem = self._attempt(handler, kind, job_id, token, content)
        except (Cancelled, _Deferred) as ended:
            log.info("job stopped", job=job_id, kind=kind.name, why=type(ended).__name__)
            return
        state = JobState.FAILED if problem else JobState.SUCCEEDED
        self._close(job_id, token, state, problem)
        took = round((time.monotonic() - began) * 1000, 1)
        log.info("job", job=job_id, kind=kind.name, state=state.value, code=problem.code if problem else None, ms=took)

    def _attempt(
        self, handler: AnyHandler, kind: JobKind, job_id: str, token: str, content: str
    ) -> CasekinError | None:
        """Make the result; what made it impossible, or none. Raises `Cancelled` and `_Deferred`."""
        try:
            payload = _parse(handler, content)
            self._compute(handler, RunningJob(job_id, payload, Reporter(self.store, job_id, token), self.results))
        except SoftTimeLimitExceeded:
            return Unavailable(f"{kind.name} took longer than its limit of {kind.limit_s} s")
        except Unavailable as error:
            if self._defer(kind, job_id, token, error):
                raise _Deferred from error
            return error
        except CasekinError as error:
            return error
        except Cancelled:
            raise
        except Exception:
            log.exception("job failed", job=job_id, kind=kind.name)
            return Unexpected(f"the log of the workers has the trace under job {job_id}")
        return None

    def _compute(self, handler: AnyHandler, job: RunningJob[Any]) -> None:
        """Store the result, computed from cases none of which was deleted meanwhile; raises `Conflict`."""
        for _ in range(_RUNS):
            mark = self.deletions.read()
            if not (handler.reuses_result and self.results.has(job.id)):  # else its worker died after storing it
                self.results.write(job.id, handler.run(job, self.tools))
            if handler.summarises_work or self.deletions.read() == mark:
                return
            self.results.remove(job.id)
            handler.discard(job.id, self.tools)
        raise Conflict(f"cases were deleted while this {handler.name} ran, {_RUNS} times in a row; submit it again")

    def _defer(self, kind: JobKind, job_id: str, token: str, error: Unavailable) -> bool:
        message, wait_s = f"waits before another try: {error.detail}", self.tools.settings.retry_wait_s
        return self.store.defer(job_id, token, wait_s=wait_s, tries=kind.max_retries, message=message)

    def _close(self, job_id: str, token: str, state: JobState, problem: CasekinError | None) -> None:
        for wait in (*_CLOSING_S, None):
            try:
                self.store.finish(job_id, token, state, describe(problem) if problem else None)
            except Unavailable as error:
                if wait is None:
                    log.warning("job not closed; its lease brings it back", job=job_id, detail=error.detail)
                    return
                time.sleep(wait)
            else:
                return


def register(
    app: Celery,
    handlers: Iterable[AnyHandler],
    kinds: Mapping[str, JobKind],
    runner: Callable[[], JobRunner],
    request: type[Request],
) -> None:
    """Add a Celery task for each handler; messages carry nothing but the job's id."""
    base: type[Any] = type("JobTask", (Task,), {"Request": request})
    for handler in handlers:
        kind = kinds[handler.name]
        task = app.task(name=kind.name, base=base, bind=True, soft_time_limit=kind.limit_s, time_limit=kind.kill_s)
        task(_task(handler, runner))


def _task(handler: AnyHandler, runner: Callable[[], JobRunner]) -> Callable[[Any], None]:
    def run(task: Any) -> None:
        runner().run(handler, job_of(task.request.id), task.request.id)

    return run


class _Deferred(Exception):
    """The job is tried again later."""


def _parse(handler: AnyHandler, content: str) -> Contract:
    """The payload; raises `Conflict` where an API of another version, before or beside this one, accepted it."""
    try:
        payload: Contract = handler.payload.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise Conflict(
            f"another version of Casekin accepted this {handler.name}, and this one cannot read it ({where}: "
            f"{fault['msg']}); submit it again"
        ) from error
    return payload
