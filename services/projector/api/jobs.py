"""The job API: ``/v1/jobs``."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import ConfigDict, Field, RootModel

from casekin.contracts.projector import LONGEST_WAIT_S, Job, JobList, JobState
from casekin.errors import Conflict
from services.projector.api.job_events import final_or_late, job_changes
from services.projector.api.submission import JobSubmission
from services.projector.jobs.heartbeat import Heartbeat
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.store import JobStore
from services.projector.storage.job_results import MEDIA_TYPES, JobResults
from services.projector.tasks.handler import AnyHandler


def job_routes(
    submission: JobSubmission,
    store: JobStore,
    results: JobResults,
    heartbeat: Heartbeat,
    handlers: Sequence[AnyHandler],
    kinds: Mapping[str, JobKind],
) -> APIRouter:
    """Submit, follow and cancel jobs of the kinds of `handlers`, and fetch their results."""
    router = APIRouter(tags=["jobs"])
    request_model = job_request(handlers)

    def known_job(job_id: str) -> Job:
        return _with_hint(store.job(job_id), heartbeat, kinds)

    @router.post("/jobs", status_code=status.HTTP_202_ACCEPTED, responses={200: {"model": Job, "description": "Known"}})
    def submit(request: request_model, response: Response) -> Job:  # type: ignore[valid-type]  # made of the handlers
        """Submit a job; the same payload on the same collection and model is the same job."""
        job, new = submission.submit(request.root)  # type: ignore[attr-defined]
        response.status_code = status.HTTP_202_ACCEPTED if new else status.HTTP_200_OK
        return job

    @router.get("/jobs")
    def recent(limit: Annotated[int, Query(ge=1, le=1000)] = 50, state: JobState | None = None) -> JobList:
        """The jobs submitted last, newest first; only those of a state, if one is given."""
        return JobList(jobs=store.recent(limit, state))

    @router.get("/jobs/{job_id}")
    async def job(job_id: str, wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0) -> Job:
        """The job: at once, or as soon as it is final, after `wait_s` seconds at the latest."""
        return await final_or_late(lambda: known_job(job_id), wait_s)

    @router.delete("/jobs/{job_id}")
    def cancel(job_id: str) -> Job:
        """Cancel the job, or release a parked one; a finished job stays as it is."""
        return store.cancel(job_id)

    @router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
    async def events(known: Annotated[Job, Depends(known_job)]) -> AsyncIterator[ServerSentEvent]:
        """The job at each change until it is final, as server-sent events named ``job`` whose ``data`` is a `Job`."""
        async for job in job_changes(known, lambda: known_job(known.id)):
            yield ServerSentEvent(event="job", data=job)

    @router.get("/jobs/{job_id}/result", response_model=_union([handler.result for handler in handlers]))
    def result(job_id: str) -> Response:
        """The result of a succeeded job: 409 before, 410 after it expired."""
        _refuse_unfinished(store.job(job_id))
        return Response(results.read(job_id), media_type="application/json")

    @router.get("/jobs/{job_id}/file", response_class=FileResponse)
    def file(job_id: str) -> FileResponse:
        """The file that goes with the result, where there is one."""
        _refuse_unfinished(store.job(job_id))
        found = results.attachment(job_id)
        return FileResponse(found, media_type=MEDIA_TYPES[found.suffix])

    return router


def job_request(handlers: Sequence[AnyHandler]) -> type[RootModel[Any]]:
    """The body of ``POST /v1/jobs``: a payload of one of the handlers, by its `kind`."""
    payloads = [handler.payload for handler in handlers]
    root = Annotated[_union(payloads), Field(discriminator="kind")] if len(payloads) > 1 else payloads[0]

    class JobRequest(RootModel[root]):  # type: ignore[valid-type]  # made of the handlers
        """Payload of a job."""

        model_config = ConfigDict(frozen=True, json_schema_extra={"example": {"kind": "map.fit", "preset": "clinical"}})

    return JobRequest


def _union(types: Sequence[type[Any]]) -> Any:
    return reduce(or_, types)


def _refuse_unfinished(known: Job) -> None:
    if known.state is not JobState.SUCCEEDED:
        why = f": {known.problem.detail}" if known.problem else ""
        raise Conflict(f"job {known.id} ({known.kind}) has no result: it is {known.state}{why}")


def _with_hint(job: Job, heartbeat: Heartbeat, kinds: Mapping[str, JobKind]) -> Job:
    """The job; a queued one says what it waits for."""
    if job.state is not JobState.QUEUED or job.progress.message != JobState.QUEUED:
        return job
    hint = _waits_for(job.kind, heartbeat, kinds)
    return job.model_copy(update={"progress": job.progress.model_copy(update={"message": hint})})


def _waits_for(kind: str, heartbeat: Heartbeat, kinds: Mapping[str, JobKind]) -> str:
    if kind not in kinds:
        return f"waiting: this version knows no jobs of kind {kind}; go on with the one that accepted it, or cancel it"
    queue = kinds[kind].queue
    return "waiting for its turn" if heartbeat.hosts(queue) else f"waiting: no worker of queue {queue} is running"
