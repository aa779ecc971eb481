"""What the browser holds of a session, as the page's server reads it; nothing of it stays on the server."""

import base64
import binascii
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from casekin.contracts.base import CaseId, Code, Latent, Preset
from casekin.contracts.encoder import EncodeResponse
from casekin.contracts.names import Renaming
from casekin.contracts.neighbours import ImageMeasures
from casekin.contracts.rollouts import RolloutResult, Step, TrajectoryResult
from casekin.contracts.search import MOST_DIVERSE, Example, SearchRequest, SearchResponse, Sort
from casekin.errors import BadInput
from services.ui.session.filter_state import Panel


class Query(BaseModel):
    """The uploaded image after encoding; the image itself is only in the browser."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="of the file")
    encoded: EncodeResponse


class Further(BaseModel):
    """Another image of the same lesion, after encoding."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="of the file")
    bundle_version: str
    latent: Latent


FARTHEST = 1000
"""Matches that a search passes over at most."""


class Steering(BaseModel):
    """What the clinician asks of the search."""

    model_config = ConfigDict(frozen=True)

    filters: Panel = Panel()
    preset: Preset | Literal["custom"] = "clinical"
    weights: list[float] | None = None
    """D of the user's own, with preset custom only."""
    k: int = 12
    offset: int = 0
    one_per_lesion: bool = True
    diversity: float = 0.0
    sort: Sort = "distance"

    @property
    def has_next_page(self) -> bool:
        """Whether a search takes the page after this one."""
        following = self.offset + self.k
        return following + self.k <= MOST_DIVERSE if self.diversity else following <= FARTHEST

    @property
    def own_weights(self) -> bool:
        """Whether the user weighs."""
        return self.preset == "custom"


class Start(BaseModel):
    """Where a search starts: an upload with its further images, or a case; and the examples that move it."""

    model_config = ConfigDict(frozen=True)

    query: Query | None = None
    further: list[Further] = []
    case: CaseId | None = None
    own_lesion: Code | None = None
    examples: list[Example] = []


def steering_of(data: dict[str, Any] | None) -> Steering:
    """What the browser's store holds, or the default before it holds anything."""
    return Steering() if data is None else Steering.model_validate(data)


def search_request(start: Start, steering: Steering, bundle_version: str) -> SearchRequest:
    """The search that `steering` asks for; `bundle_version` is the collection's, for a search from a case."""
    latents = [start.query.encoded.latent] if start.query and not start.case else []
    version = start.query.encoded.bundle_version if latents and start.query else bundle_version
    return SearchRequest(
        bundle_version=version,
        latents=(*latents, *(one.latent for one in start.further if latents and one.bundle_version == version)),
        case=start.case,
        examples=tuple(start.examples),
        filters=steering.filters.filters(),
        preset=steering.preset,
        weights=steering.weights,
        k=steering.k,
        offset=steering.offset,
        one_per_lesion=steering.one_per_lesion,
        own_lesion=start.own_lesion,
        diversity=steering.diversity,
        sort=steering.sort,
        image=_measures(start.query) if latents and start.query else None,
    )


def _measures(query: Query) -> ImageMeasures | None:
    quality = query.encoded.quality
    if quality.reconstruction_error is None:
        return None
    return ImageMeasures(
        reconstruction_error=quality.reconstruction_error, sharpness=quality.sharpness, brightness=quality.brightness
    )


def checked_name(text: str) -> str:
    """A name for a dimension as it may be sent; raises `BadInput`."""
    try:
        return Renaming(name=text).name
    except ValidationError as error:
        raise BadInput("a name is one line of 1 to 60 characters; change it") from error


class Way(BaseModel):
    """A line on the map."""

    model_config = ConfigDict(frozen=True)

    map_id: str
    name: str
    x: list[float]
    y: list[float]


def ways_of(result: RolloutResult, names: list[str]) -> dict[str, Any] | None:
    """The way of each dimension by its index; none where the rollouts have no places."""
    if result.map_id is None:
        return None
    told = {str(row.dimension): (names[row.dimension : row.dimension + 1], row.steps) for row in result.rows}
    return {
        index: _way(result.map_id, name[0] if name else f"Dimension {int(index) + 1}", steps).model_dump()
        for index, (name, steps) in told.items()
    }


def way_to(result: TrajectoryResult) -> dict[str, Any] | None:
    """The way to a case; none where it has no places."""
    if result.map_id is None:
        return None
    return _way(result.map_id, f"Way to {result.to}", result.steps).model_dump()


def _way(map_id: str, name: str, steps: list[Step]) -> Way:
    placed = [(step.x, step.y) for step in steps if step.x is not None and step.y is not None]
    return Way(map_id=map_id, name=name, x=[x for x, _ in placed], y=[y for _, y in placed])


def slim(response: SearchResponse) -> dict[str, Any]:
    """The response as the browser keeps it: contributions to four decimals, which is all the page shows."""
    data = response.model_dump(mode="json")
    for match in data["matches"]:
        match["contributions"] = [round(share, 4) for share in match["contributions"]]
    return data


def image_bytes(contents: str) -> bytes:
    """The bytes behind a data URI; raises `BadInput` where it is none."""
    head, comma, body = contents.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        # an empty file arrives as "data:", and the encoder says it best
        if contents in ("", "data:", "data:,"):
            return b""
        raise BadInput("the browser sent no base64 data URI; choose the file again")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadInput("the browser sent broken base64; choose the file again") from error
