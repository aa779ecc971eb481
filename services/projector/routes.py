"""The job API: ``/v1/jobs`` and the current map."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from casekin.contracts.projector import CaseMap, Job, JobList, JobRequest, JobState, Placement, RolloutResult
from casekin.errors import Conflict
from services.projector.artefacts import Artefacts
from services.projector.intake import Intake
from services.projector.jobs import JobStore
from services.projector.kinds import Kind
from services.projector.presence import Presence


def create_router(
    intake: Intake, store: JobStore, artefacts: Artefacts, presence: Presence, kinds: dict[str, Kind]
) -> APIRouter:
    """Routes over the given parts."""
    router = APIRouter(tags=["jobs"])

    @router.post("/jobs", status_code=status.HTTP_202_ACCEPTED, responses={200: {"model": Job, "description": "Known"}})
    def submit(request: JobRequest, response: Response) -> Job:
        """Ask for work; the same payload on the same collection and model gives the same job."""
        job, new = intake.submit(request.root)
        response.status_code = status.HTTP_202_ACCEPTED if new else status.HTTP_200_OK
        return job

    @router.get("/jobs")
    def recent(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> JobList:
        """The jobs asked for last, newest first."""
        return JobList(jobs=store.recent(limit))

    @router.get("/jobs/{job_id}")
    def job(job_id: str) -> Job:
        """How far it is."""
        return _with_hint(store.job(job_id), presence, kinds)

    @router.delete("/jobs/{job_id}")
    def cancel(job_id: str) -> Job:
        """Ask it to stop; a finished job stays as it is."""
        return store.cancel(job_id)

    @router.get("/jobs/{job_id}/result", response_model=CaseMap | Placement | RolloutResult)
    def result(job_id: str) -> Response:
        """The result of a succeeded job: 409 before, 410 after it expired."""
        known = store.job(job_id)
        if known.state is not JobState.SUCCEEDED:
            why = f": {known.problem.detail}" if known.problem else ""
            raise Conflict(f"job {job_id} ({known.kind}) has no result: it is {known.state}{why}")
        return Response(artefacts.read(job_id), media_type="application/json")

    @router.get("/maps/current", tags=["map"], response_model=CaseMap)
    def current_map() -> Response:
        """The map fitted last."""
        return Response(artefacts.current_map(), media_type="application/json")

    return router


def _with_hint(job: Job, presence: Presence, kinds: dict[str, Kind]) -> Job:
    """A queued job says what it waits for."""
    if job.state is not JobState.QUEUED:
        return job
    queue = kinds[job.kind].queue
    hint = "waiting for its turn" if presence.hosts(queue) else f"waiting: no worker of queue {queue} is running"
    return job.model_copy(update={"progress": job.progress.model_copy(update={"message": hint})})
