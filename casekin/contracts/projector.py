"""Contracts of jobs; each kind's are in `maps`, `rollouts`, `ingest`, `reindex` and `export` beside this.

Task names are part of the contract: a job's ``kind`` is the name of the Celery task that does it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, RootModel

from casekin.contracts.base import Contract
from casekin.contracts.export import Export
from casekin.contracts.ingest import IngestPart
from casekin.contracts.maps import MapFit, MapPlace
from casekin.contracts.problem import Problem
from casekin.contracts.reindex import Reindex
from casekin.contracts.rollouts import Animation, JointRollout, Rollout, Trajectory

Payload = Annotated[
    MapFit | MapPlace | Rollout | JointRollout | Animation | Trajectory | IngestPart | Export | Reindex,
    Field(discriminator="kind"),
]

LONGEST_WAIT_S = 20.0
"""For which a request for a job may ask it to become final."""


class JobRequest(RootModel[Payload]):
    """Body of ``POST /v1/jobs``."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": {"kind": "map.fit", "preset": "clinical"}})


class JobState(StrEnum):
    """Where a job is in its life; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARKED = "parked"
    """It killed its worker too often; the same work is not begun again before somebody cancels it."""

    @property
    def final(self) -> bool:
        """Whether the state will not change any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Progress(Contract):
    """How far a job is."""

    fraction: float = Field(ge=0, le=1)
    message: str
    remaining_s: float | None = Field(default=None, ge=0, description="seconds, estimated")


_JOB: dict[str, JsonValue] = {
    "id": "1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c",
    "kind": "map.fit",
    "state": "running",
    "progress": {"fraction": 0.4, "message": "epoch 80 of 200", "remaining_s": 12.5},
    "created": "2026-11-22T12:00:00Z",
    "started": "2026-11-22T12:00:01Z",
    "finished": None,
    "result": None,
    "problem": None,
}


class Job(Contract):
    """Answer to ``POST /v1/jobs`` (202, or 200 if the same work is known) and ``GET /v1/jobs/{id}``."""

    model_config = ConfigDict(json_schema_extra={"example": _JOB})

    id: str
    kind: str
    state: JobState
    progress: Progress
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    result: str | None = Field(default=None, description="path of the result on this service, once it succeeded")
    problem: Problem | None = Field(default=None, description="why it failed")


class JobList(Contract):
    """Answer to ``GET /v1/jobs?limit=&state=``: the jobs asked for last, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": [_JOB]}})

    jobs: list[Job]
