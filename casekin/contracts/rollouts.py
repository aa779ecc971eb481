"""Contracts of rollouts: images decoded along a line through the latent space, and the cases near each step.

A rollout starts from a query's latent or from a case of the collection. Ranges are those of the collection: a step is
named by its quantile, the share of the collection's cases that lie below it in that dimension. Which cases are near is
measured under the weights of the request, like a search; cases of the subject's own lesion are left out.
"""

from typing import Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from casekin.contracts.base import BundleVersion, CaseId, Code, Contract, Latent, WeightsChoice
from casekin.contracts.maps import MapId

_VERSION = "ham10000-2026.11.1"
_QUERY: dict[str, JsonValue] = {"bundle_version": _VERSION, "latent": [0.3, -1.2]}
_STEP: dict[str, JsonValue] = {
    "image": "data:image/jpeg;base64,/9j/",
    "shares": {"nv": 0.8, "mel": 0.2},
    "nearest": {"id": "ISIC_0000001", "diagnosis": "nv", "distance": 1.9},
    "x": 1.5,
    "y": -0.2,
}
_SCENE: dict[str, JsonValue] = {
    "bundle_version": _VERSION,
    "revision": "8470-9f2c",
    "map_id": "1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c",
    "neighbours": 15,
    "cases": 8470,
    "preset": "clinical",
    "width": 128,
    "height": 96,
    "here": _STEP,
}


class FromSubject(Contract):
    """The subject that a rollout starts from: exactly one of `latent` and `case`."""

    bundle_version: BundleVersion
    latent: Latent | None = Field(default=None, description="of a query")
    case: CaseId | None = Field(default=None, description="of the collection")
    map_id: MapId | None = Field(
        default=None, description="of a kept map; the default is the current one, if there is one"
    )

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.latent is None) == (self.case is None):
            raise ValueError("give either latent (of a query) or case (of the collection), and not both")
        return self


class SteppedRollout(FromSubject):
    """A rollout whose steps say which cases are near them.

    The subject's own case, copies of its picture, and their lesions are never near.
    """

    preset: WeightsChoice = Field(default="clinical", description="weights of the distance between cases and a step")
    weights: list[float] | None = Field(default=None, max_length=4096, description="D numbers, with preset custom only")
    own_lesion: Code | None = Field(default=None, description="the lesion of a query, where the user named it")


class Rollout(SteppedRollout):
    """Decode images while one dimension varies over its range in the collection and the others stay."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "rollout", **_QUERY, "dimensions": [0, 1], "steps": 11}}
    )

    kind: Literal["rollout"] = "rollout"
    dimensions: list[int] | None = Field(default=None, max_length=4096, description="indices; the default is all")
    steps: int = Field(default=11, ge=3, le=21)


class JointRollout(SteppedRollout):
    """Decode a grid of images while two dimensions vary together."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "rollout.joint", **_QUERY, "dimensions": [0, 1], "steps": 7}}
    )

    kind: Literal["rollout.joint"] = "rollout.joint"
    dimensions: tuple[int, int] = Field(description="along the columns, along the rows; two different ones")
    steps: int = Field(default=7, ge=3, le=11)


class Animation(FromSubject):
    """An animated WebP of one dimension, up its range and back."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "rollout.animation", **_QUERY, "dimension": 0, "frames": 21}}
    )

    kind: Literal["rollout.animation"] = "rollout.animation"
    dimension: int
    frames: int = Field(default=21, ge=3, le=60, description="up the range")
    milliseconds: int = Field(default=80, ge=20, le=1000, description="each frame is shown")


class Trajectory(SteppedRollout):
    """A straight line through the latent space, from the subject to a case."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "trajectory", **_QUERY, "to": "ISIC_0000001", "steps": 11}}
    )

    kind: Literal["trajectory"] = "trajectory"
    to: CaseId
    steps: int = Field(default=11, ge=3, le=41)


class NearestCase(Contract):
    """The real case of the collection that is nearest to a step."""

    id: CaseId
    diagnosis: Code | None
    distance: float = Field(ge=0, description="from the case to the step, under the weights of the request")


class Step(Contract):
    """One point of a rollout."""

    image: str = Field(description="data URI")
    shares: dict[Code, float] | None = Field(
        description="diagnoses of the nearest cases, most frequent first; none where the collection could not be read"
    )
    nearest: NearestCase | None = Field(
        description="none where the collection could not be read, or has nothing but the subject's own lesion; several "
        "steps may have the same"
    )
    x: float | None = Field(description="place on the map; none where there is no map")
    y: float | None


class Scene(Contract):
    """What the results of all kinds of rollouts share."""

    bundle_version: str
    revision: str | None = Field(description="of the collection that the neighbours are from")
    map_id: MapId | None = Field(description="of the map that the places are on")
    neighbours: int = Field(description="nearest cases behind each distribution")
    cases: int = Field(
        ge=0, description="among which they were looked for: all of the collection, or a sample of a very large one"
    )
    preset: WeightsChoice = Field(description="weights that nearness was measured under")
    width: int = Field(description="of the images, pixels")
    height: int
    here: Step = Field(description="the query or case itself")


class RolloutRow(Contract):
    """One dimension varied; columns of equal length, one entry a step."""

    dimension: int
    origin: float = Field(description="the query's own value, standardised")
    origin_quantile: float | None = Field(ge=0, le=1, description="none where the collection could not be read")
    values: list[float] = Field(description="standardised")
    quantiles: list[float] = Field(description="share of the collection's cases below")
    steps: list[Step]


class RolloutResult(Scene):
    """Result of ``rollout``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SCENE,
                "rows": [
                    {
                        "dimension": 0,
                        "origin": 0.3,
                        "origin_quantile": 0.61,
                        "values": [-2.3, 0.0, 2.3],
                        "quantiles": [0.01, 0.5, 0.99],
                        "steps": [_STEP] * 3,
                    }
                ],
            }
        }
    )

    rows: list[RolloutRow]


class JointResult(Scene):
    """Result of ``rollout.joint``: the grid row by row, lowest values first."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SCENE,
                "dimensions": [0, 1],
                "columns": [-2.3, 0.0, 2.3],
                "rows": [-2.0, 0.1, 2.2],
                "quantiles": [0.01, 0.5, 0.99],
                "grid": [[_STEP] * 3] * 3,
            }
        }
    )

    dimensions: tuple[int, int]
    columns: list[float] = Field(description="values of the first dimension, standardised")
    rows: list[float] = Field(description="values of the second")
    quantiles: list[float] = Field(description="of both")
    grid: list[list[Step]]


class AnimationResult(Contract):
    """Result of ``rollout.animation``; the image is under `link`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": _VERSION,
                "dimension": 0,
                "frames": 40,
                "width": 128,
                "height": 96,
                "media_type": "image/webp",
                "size": 40960,
                "link": "/v1/jobs/1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c/file",
            }
        }
    )

    bundle_version: str
    dimension: int
    frames: int
    width: int
    height: int
    media_type: Literal["image/webp"]
    size: int = Field(description="bytes")
    link: str = Field(description="path of the file on this service")


class TrajectoryResult(Scene):
    """Result of ``trajectory``: from the start (step 0) to the case (last step)."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**_SCENE, "to": "ISIC_0000001", "distance": 4.2, "steps": [_STEP] * 3}}
    )

    to: CaseId
    distance: float = Field(ge=0, description="from start to case, under the weights of the request")
    steps: list[Step]
