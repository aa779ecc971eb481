"""Contracts of the projector service: jobs, the map, placing, rollouts.

Task names are part of the contract: a job's ``kind`` is the name of the Celery task that does it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, RootModel

from casekin.contracts.base import CaseId, Code, Contract, Latent, Preset
from casekin.contracts.problem import Problem


class MapFit(Contract):
    """Fit the 2-D UMAP map of the whole collection; the result becomes the current map."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "map.fit", "preset": "clinical"}})

    kind: Literal["map.fit"] = "map.fit"
    preset: Preset = "clinical"
    neighbours: int = Field(default=15, ge=2, le=200)
    min_dist: float = Field(default=0.1, ge=0, le=1)
    seed: int = Field(default=7, ge=0)


class MapPlace(Contract):
    """Place a query on the current map, from its neighbours' coordinates."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"kind": "map.place", "bundle_version": "ham10000-2026.11.1", "latent": [0.3, -1.2]}
        }
    )

    kind: Literal["map.place"] = "map.place"
    bundle_version: str
    latent: Latent
    neighbours: int = Field(default=10, ge=1, le=100)


class Rollout(Contract):
    """Decode images while one dimension varies over the range met in the collection and the others stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "rollout",
                "bundle_version": "ham10000-2026.11.1",
                "latent": [0.3, -1.2],
                "dimensions": [0, 1],
                "steps": 11,
            }
        }
    )

    kind: Literal["rollout"] = "rollout"
    bundle_version: str
    latent: Latent
    dimensions: list[int] | None = Field(default=None, description="indices; none means all")
    steps: int = Field(default=11, ge=3, le=21)


Payload = Annotated[MapFit | MapPlace | Rollout, Field(discriminator="kind")]


class JobRequest(RootModel[Payload]):
    """Body of ``POST /v1/jobs``."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": {"kind": "map.fit", "preset": "clinical"}})


class JobState(StrEnum):
    """Where a job is in its life; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

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
    """Answer to ``GET /v1/jobs?limit=``: the jobs asked for last, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": [_JOB]}})

    jobs: list[Job]


class CaseMap(Contract):
    """Result of ``map.fit`` and answer to ``GET /v1/maps/current``: columns of equal length, one entry a case."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c",
                "bundle_version": "ham10000-2026.11.1",
                "revision": "8470-9f2c",
                "preset": "clinical",
                "created": "2026-11-22T12:00:00Z",
                "fit_s": 21.0,
                "cases": ["ISIC_0000001"],
                "diagnoses": ["nv"],
                "x": [1.5],
                "y": [-0.2],
            }
        }
    )

    id: str
    bundle_version: str
    revision: str = Field(description="of the collection it was fitted on")
    preset: Preset
    created: datetime
    fit_s: float
    cases: list[CaseId]
    diagnoses: list[Code | None]
    x: list[float]
    y: list[float]


class Placement(Contract):
    """Result of ``map.place``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"map_id": "1f9a0c6e", "x": 1.4, "y": -0.1, "spread": 0.03, "neighbours": ["ISIC_0000001"]}
        }
    )

    map_id: str
    x: float
    y: float
    spread: float = Field(
        ge=0, description="honesty: mean distance of the neighbours from the place, as a share of the map's diagonal"
    )
    neighbours: list[CaseId]


class RolloutRow(Contract):
    """One dimension varied."""

    dimension: int
    name: str
    values: list[float] = Field(description="standardised, one a step")
    images: list[str] = Field(description="data URIs, one a step")
    origin: float = Field(description="the query's own value")


class RolloutResult(Contract):
    """Result of ``rollout``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "width": 128,
                "height": 96,
                "rows": [
                    {
                        "dimension": 0,
                        "name": "Size",
                        "values": [-1.6, 0.0, 1.6],
                        "images": ["data:image/jpeg;base64,/9j/"] * 3,
                        "origin": 0.3,
                    }
                ],
            }
        }
    )

    bundle_version: str
    width: int
    height: int
    rows: list[RolloutRow]
