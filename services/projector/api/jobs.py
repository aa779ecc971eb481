"""The job API: ``/v1/jobs`` and the kept maps under ``/v1/maps``."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response, status
from fastapi.responses import FileResponse, StreamingResponse

from casekin.contracts.export import ExportResult
from casekin.contracts.ingest import IngestResult
from casekin.contracts.maps import CaseMap, CurrentMap, MapId, MapVersion, MapVersions, Placement
from casekin.contracts.projector import LONGEST_WAIT_S, Job, JobList, JobRequest, JobState
from casekin.contracts.reindex import ReindexResult
from casekin.contracts.rollouts import AnimationResult, JointResult, RolloutResult, TrajectoryResult
from casekin.errors import Conflict, NotFound
from services.projector.api.job_events import EVENTS, final_or_late, job_events
from services.projector.api.submission import JobSubmission
from services.projector.jobs.heartbeat import Heartbeat
from services.projector.jobs.kinds import Kind
from services.projector.jobs.store import JobStore
from services.projector.projection.map_store import MapStore
from services.projector.storage.job_results import MEDIA_TYPES, JobResults

Result = (
    MapVersion
    | Placement
    | RolloutResult
    | JointResult
    | AnimationResult
    | TrajectoryResult
    | IngestResult
    | ExportResult
    | ReindexResult
)


def create_router(
    submission: JobSubmission, store: JobStore, results: JobResults, heartbeat: Heartbeat, kinds: dict[str, Kind]
) -> APIRouter:
    """Routes over the given parts."""
    router = APIRouter(tags=["jobs"])

    @router.post("/jobs", status_code=status.HTTP_202_ACCEPTED, responses={200: {"model": Job, "description": "Known"}})
    def submit(request: JobRequest, response: Response) -> Job:
        """Ask for work; the same payload on the same collection and model gives the same job."""
        job, new = submission.submit(request.root)
        response.status_code = status.HTTP_202_ACCEPTED if new else status.HTTP_200_OK
        return job

    @router.get("/jobs")
    def recent(limit: Annotated[int, Query(ge=1, le=1000)] = 50, state: JobState | None = None) -> JobList:
        """The jobs asked for last, newest first; only those of a state, if one is given."""
        return JobList(jobs=store.recent(limit, state))

    @router.get("/jobs/{job_id}")
    async def job(job_id: str, wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0) -> Job:
        """How far it is: at once, or as soon as it is final, after `wait_s` seconds at the latest."""
        return await final_or_late(lambda: _with_hint(store.job(job_id), heartbeat, kinds), wait_s)

    @router.delete("/jobs/{job_id}")
    def cancel(job_id: str) -> Job:
        """Ask it to stop, or let a parked one go; a finished job stays as it is."""
        return store.cancel(job_id)

    @router.get("/jobs/{job_id}/events", response_class=StreamingResponse, responses=EVENTS)
    async def events(job_id: str) -> StreamingResponse:
        """The job at each change until it is final, as server-sent events named ``job``."""
        first = await to_thread.run_sync(store.job, job_id)
        told = job_events(first, lambda: _with_hint(store.job(job_id), heartbeat, kinds))
        return StreamingResponse(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @router.get("/jobs/{job_id}/result", response_model=Result)
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


def map_routes(maps: MapStore) -> APIRouter:
    """The kept maps."""
    router = APIRouter(tags=["map"])

    @router.get("/maps")
    def versions() -> MapVersions:
        """The kept maps with their quality, newest first, and which is current."""
        return maps.versions()

    @router.get("/maps/current", response_model=CaseMap)
    def current_map() -> Response:
        """The current map."""
        current = maps.current_id()
        if current is None:
            raise NotFound("no map has been fitted yet; submit a job of kind map.fit")
        return Response(maps.read(current), media_type="application/json")

    @router.put("/maps/current")
    def make_current(chosen: CurrentMap) -> MapVersion:
        """Make a kept map the current one again."""
        return maps.make_current(chosen.id)

    @router.get("/maps/{map_id}", response_model=CaseMap)
    def kept_map(map_id: MapId) -> Response:
        """One kept map."""
        return Response(maps.read(map_id), media_type="application/json")

    return router


def _refuse_unfinished(known: Job) -> None:
    if known.state is not JobState.SUCCEEDED:
        why = f": {known.problem.detail}" if known.problem else ""
        raise Conflict(f"job {known.id} ({known.kind}) has no result: it is {known.state}{why}")


def _with_hint(job: Job, heartbeat: Heartbeat, kinds: dict[str, Kind]) -> Job:
    """A queued job says what it waits for."""
    if job.state is not JobState.QUEUED or job.progress.message != JobState.QUEUED:
        return job
    hint = _waits_for(job.kind, heartbeat, kinds)
    return job.model_copy(update={"progress": job.progress.model_copy(update={"message": hint})})


def _waits_for(kind: str, heartbeat: Heartbeat, kinds: dict[str, Kind]) -> str:
    if kind not in kinds:
        return f"waiting: this version knows no jobs of kind {kind}; go on with the one that accepted it, or cancel it"
    queue = kinds[kind].queue
    return "waiting for its turn" if heartbeat.hosts(queue) else f"waiting: no worker of queue {queue} is running"
