"""What a worker does with a message: claim the job, do it, store the result, close the job."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from pydantic import TypeAdapter, ValidationError

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import Contract
from casekin.contracts.export import TABLE_TYPE, Export, ExportResult
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.maps import CaseMap, MapFit, MapPlace
from casekin.contracts.projector import JobState, Payload
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.contracts.rollouts import Animation, AnimationResult, FromSubject, JointRollout, Rollout, Trajectory
from casekin.errors import CasekinError, Conflict, Unavailable, Unexpected
from casekin.ingest import Kind as Outcome
from casekin.service.problems import describe
from services.projector.jobs.broker import job_of
from services.projector.jobs.kinds import Kind
from services.projector.jobs.progress import Cancelled, Report, Reporter
from services.projector.jobs.store import JobStore
from services.projector.latents.collection_latents import CollectionReader
from services.projector.projection.fit import fit_map
from services.projector.projection.map_cache import MapCache
from services.projector.projection.map_store import MapStore
from services.projector.projection.placement import place_on
from services.projector.rollouts.animation import animate
from services.projector.rollouts.rollouts import roll_out, roll_out_jointly
from services.projector.rollouts.steps import rollout_context
from services.projector.rollouts.trajectory import go
from services.projector.storage.job_results import JobResults
from services.projector.tasks.ingest import BulkIngest, Pace
from services.projector.tasks.reindex import Reindexer

log = structlog.get_logger("projector")
_PAYLOAD: TypeAdapter[Payload] = TypeAdapter(Payload)
_CLOSING_S = (0.1, 0.5, 2, 5, 10, 20)
"""Waits between attempts to close a job while Redis is away; after that its lease brings it back."""


@dataclass(frozen=True)
class Tools:
    """What the tasks of one worker process share."""

    store: JobStore
    results: JobResults
    maps: MapStore
    encoder: EncoderClient
    reader: CollectionReader
    map_cache: MapCache
    bulk_ingest: BulkIngest
    storing: SearchClient
    """With patience for writes."""
    pace: Pace
    """Of bulk work."""
    api_key: str | None
    retry_wait_s: float


def register(app: Celery, kinds: dict[str, Kind], tools: Callable[[], Tools], request: type[Any]) -> None:
    """Add a task for each kind; messages carry nothing but the job's id."""
    base: type[Any] = type("JobTask", (Task,), {"Request": request})
    for kind in kinds.values():
        task = app.task(name=kind.name, base=base, bind=True, soft_time_limit=kind.limit_s, time_limit=kind.kill_s)
        task(_body(kind, tools))


def _body(kind: Kind, tools: Callable[[], Tools]) -> Callable[[Any], None]:
    def run(task: Any) -> None:
        work(kind, job_of(task.request.id), task.request.id, tools())

    return run


def work(kind: Kind, job_id: str, token: str, tools: Tools) -> None:
    """Do the job unless it is done, cancelled or in other hands; every failure ends as a problem of the closed list."""
    content = tools.store.claim(job_id, token)
    if content is None:
        return
    began = time.monotonic()
    try:
        problem = _attempt(kind, job_id, token, content, tools)
    except (Cancelled, _Deferred) as ended:
        log.info("job stopped", job=job_id, kind=kind.name, why=type(ended).__name__)
        return
    state = JobState.FAILED if problem else JobState.SUCCEEDED
    _close(tools.store, job_id, token, state, problem)
    took = round((time.monotonic() - began) * 1000, 1)
    log.info("job", job=job_id, kind=kind.name, state=state.value, code=problem.code if problem else None, ms=took)


class _Deferred(Exception):
    """The job is tried again later."""


def _attempt(kind: Kind, job_id: str, token: str, content: str, tools: Tools) -> CasekinError | None:
    """Make the result; what made it impossible, or none. Raises `Cancelled` and `_Deferred`."""
    try:
        _compute(job_id, _read(kind, content), tools, Reporter(tools.store, job_id, token))
    except SoftTimeLimitExceeded:
        return Unavailable(f"{kind.name} took longer than its limit of {kind.limit_s} s")
    except Unavailable as error:
        message = f"waits before another try: {error.detail}"
        if tools.store.defer(job_id, token, wait_s=tools.retry_wait_s, tries=kind.tries, message=message):
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


def _read(kind: Kind, content: str) -> Payload:
    """The payload; raises `Conflict` where an API of another version, before or beside this one, accepted it."""
    try:
        return _PAYLOAD.validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise Conflict(
            f"another version of Casekin accepted this {kind.name}, and this one cannot read it ({where}: "
            f"{fault['msg']}); ask for it again"
        ) from error


def _compute(job_id: str, payload: Payload, tools: Tools, report: Report) -> None:
    """Make the result and leave it on disk; one that lies there already (its worker died late) is taken."""
    if isinstance(payload, MapFit):
        _fit(job_id, payload, tools, report)
    elif isinstance(payload, IngestPart):
        tools.results.write(job_id, _ingest(job_id, payload, tools, report))
    elif isinstance(payload, Reindex):
        tools.results.write(job_id, _reindex(payload, tools, report))
    elif not tools.results.has(job_id):
        tools.results.write(job_id, _result(job_id, payload, tools, report))


def _fit(job_id: str, payload: MapFit, tools: Tools, report: Report) -> None:
    if not tools.maps.has(job_id):
        tools.maps.add(fit_map(job_id, payload, tools.reader, tools.maps, tools.encoder, report))
    tools.results.write(job_id, tools.maps.make_current(job_id))


def _ingest(job_id: str, payload: IngestPart, tools: Tools, report: Report) -> IngestResult:
    summary, size = tools.results.attach(job_id, ".csv", lambda stream: tools.bulk_ingest.run(payload, stream, report))
    return IngestResult(
        ingested=summary.counts[Outcome.INGESTED],
        replaced=summary.counts[Outcome.REPLACED],
        unchanged=summary.counts[Outcome.UNCHANGED],
        skipped=summary.counts[Outcome.SKIPPED],
        skipped_by_code=dict(summary.skipped_by_code),
        media_type="text/csv",
        size=size,
        link=f"/v1/jobs/{job_id}/file",
    )


def _reindex(payload: Reindex, tools: Tools, report: Report) -> ReindexResult:
    assert payload.encoder_url is not None, "submission names the encoder"
    with EncoderClient(payload.encoder_url, api_key=tools.api_key) as encoder:
        return Reindexer(encoder, tools.storing, tools.pace, report).run()


def _export(job_id: str, payload: Export, tools: Tools, report: Report) -> ExportResult:
    from services.projector.tasks.export import places_of, write_table  # noqa: PLC0415  pyarrow is for exports alone

    fitted = CaseMap.model_validate_json(tools.maps.read(payload.map_id)) if payload.map_id else None
    places = places_of(fitted)
    collection, size = tools.results.attach(
        job_id, ".parquet", lambda stream: write_table(stream, tools.reader.search, places, report)
    )
    return ExportResult(
        bundle_version=collection.bundle_version,
        revision=collection.revision,
        map_id=payload.map_id,
        cases=collection.cases,
        media_type=TABLE_TYPE,
        size=size,
        link=f"/v1/jobs/{job_id}/file",
    )


def _result(job_id: str, payload: Payload, tools: Tools, report: Report) -> Contract:
    if isinstance(payload, MapPlace):
        assert payload.map_id is not None, "submission names the map"
        return place_on(tools.map_cache.placement_map(payload.map_id), payload)
    if isinstance(payload, Export):
        return _export(job_id, payload, tools, report)
    assert isinstance(payload, FromSubject)
    context, latent = rollout_context(payload, tools.encoder, tools.map_cache)
    match payload:
        case Rollout():
            return roll_out(payload, context, latent, report)
        case JointRollout():
            return roll_out_jointly(payload, context, latent, report)
        case Trajectory():
            return go(payload, context, latent, report)
        case Animation():
            picture, frames, width, height = animate(payload, context, latent, report)
            _, size = tools.results.attach(job_id, ".webp", lambda stream: stream.write(picture))
            return AnimationResult(
                bundle_version=payload.bundle_version,
                dimension=payload.dimension,
                frames=frames,
                width=width,
                height=height,
                media_type="image/webp",
                size=size,
                link=f"/v1/jobs/{job_id}/file",
            )
    raise AssertionError(payload)


def _close(store: JobStore, job_id: str, token: str, state: JobState, problem: CasekinError | None) -> None:
    for wait in (*_CLOSING_S, None):
        try:
            store.finish(job_id, token, state, describe(problem) if problem else None)
        except Unavailable as error:
            if wait is None:
                log.warning("job not closed; its lease brings it back", job=job_id, detail=error.detail)
                return
            time.sleep(wait)
        else:
            return
