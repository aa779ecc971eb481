"""Contracts of jobs; the payload and result of each kind are in `maps`, `rollouts`, `ingest`, `reindex` and `export`.

A payload is any contract with a field ``kind`` of one value. Kinds are part of the contract: each is the name of the
Celery task that does it.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict, Field, JsonValue

from casekin.contracts.base import CaseId, Contract
from casekin.contracts.problem import Problem

LONGEST_WAIT_S = 20.0
"""Longest time that a request for a job may wait for it to become final."""


class JobState(StrEnum):
    """Where a job is in its life; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARKED = "parked"
    """It lost its worker too often (a dead letter); the same work is not started again before it is cancelled."""

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
    """Answer to ``GET /v1/jobs?limit=&state=``: the jobs submitted last, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": [_JOB]}})

    jobs: list[Job]


class PurgeRequest(Contract):
    """Body of ``POST /v1/cases/purge``: cases that were deleted from the collection."""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": ["ISIC_0000001"]}})

    ids: list[CaseId] = Field(min_length=1, max_length=4096)


class PurgeResult(Contract):
    """What was removed of deleted cases: nothing that the projector stores has them any more.

    Worker processes drop what they have in memory within half a minute, or at their next job. A job that runs meanwhile
    starts again without the cases. A queued job that names one of them fails, and its payload goes with it.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"cases": 1, "latents": 1, "maps": 2, "results": 5}})

    cases: int = Field(description="that were to be removed")
    latents: int = Field(description="cached files of latents that had one of them and do not any more")
    maps: int = Field(description="kept maps, likewise")
    results: int = Field(description="stored results that may have shown one of them and are deleted")
