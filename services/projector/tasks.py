"""What a worker does with a message: claim the job, do it, store the result, close the job."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from pydantic import TypeAdapter

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import Contract
from casekin.contracts.projector import CaseMap, JobState, MapFit, MapPlace, Payload, Placement, Rollout, RolloutResult
from casekin.errors import CasekinError, Unavailable, Unexpected
from casekin.service.problems import describe
from services.projector.artefacts import Artefacts
from services.projector.celery_app import job_of
from services.projector.jobs import JobStore
from services.projector.kinds import Kind
from services.projector.mapfit import fit_map
from services.projector.placing import AtlasShelf, place_query
from services.projector.progress import Cancelled, Report, Reporter
from services.projector.rollouts import roll_out

log = structlog.get_logger("projector")
_PAYLOAD: TypeAdapter[Payload] = TypeAdapter(Payload)
_RESULTS: dict[str, type[Contract]] = {"map.fit": CaseMap, "map.place": Placement, "rollout": RolloutResult}
_CLOSING_S = (0.1, 0.5, 2, 5, 10, 20)
"""Waits between attempts to close a job while Redis is away; after that its lease brings it back."""


@dataclass(frozen=True)
class Tools:
    """What the tasks of one worker process share."""

    store: JobStore
    artefacts: Artefacts
    search: SearchClient
    encoder: EncoderClient
    shelf: AtlasShelf


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
    problem: CasekinError | None = None
    try:
        _compute(job_id, _PAYLOAD.validate_json(content), tools, Reporter(tools.store, job_id, token))
    except Cancelled:
        log.info("job stopped", job=job_id, kind=kind.name)
        return
    except SoftTimeLimitExceeded:
        problem = Unavailable(f"{kind.name} took longer than its limit of {kind.limit_s} s")
    except CasekinError as error:
        problem = error
    except Exception:
        log.exception("job failed", job=job_id, kind=kind.name)
        problem = Unexpected(f"the log of the workers has the trace under job {job_id}")
    state = JobState.FAILED if problem else JobState.SUCCEEDED
    _close(tools.store, job_id, token, state, problem)
    took = round((time.monotonic() - began) * 1000, 1)
    log.info("job", job=job_id, kind=kind.name, state=state.value, code=problem.code if problem else None, ms=took)


def _compute(job_id: str, payload: Payload, tools: Tools, report: Report) -> None:
    """Make the result and leave it on disk; one that lies there already (its worker died late) is taken."""
    if tools.artefacts.has(job_id):
        result: Contract = _RESULTS[payload.kind].model_validate_json(tools.artefacts.read(job_id))
    else:
        result = _result(job_id, payload, tools, report)
        tools.artefacts.write(job_id, result)
    if isinstance(result, CaseMap):
        tools.artefacts.set_current(result)


def _result(job_id: str, payload: Payload, tools: Tools, report: Report) -> Contract:
    match payload:
        case MapFit():
            return fit_map(job_id, payload, tools.search, tools.encoder, report)
        case MapPlace():
            return place_query(payload, tools.search, tools.shelf)
        case Rollout():
            return roll_out(payload, tools.encoder, report)


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
