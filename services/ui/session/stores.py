"""The stores of the browser: what each keeps, and how the page's server reads it.

Nothing of a session stays on the server: a callback gets the JSON of the stores that it needs and parses it here.
"""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from casekin.contracts.base import CaseId, Code, Latent
from casekin.contracts.collection import Collection
from casekin.contracts.encoder import EncodeResponse
from casekin.contracts.maps import MapId, Placement
from casekin.contracts.search import Example, SearchResponse

Json = dict[str, JsonValue] | None
"""What a store holds, unparsed; none before it holds anything."""
JsonList = list[dict[str, JsonValue]] | None
B = TypeVar("B", bound=BaseModel)


class Stored(BaseModel):
    """Base of what only the browser's stores hold."""

    model_config = ConfigDict(frozen=True)


class StagedImage(Stored):
    """A chosen file before encoding; `contents` is a data URI, none where the file is too large to send."""

    name: str
    contents: str | None
    at: float = Field(description="when it was chosen, ms since 1970")


class Query(Stored):
    """The uploaded image after encoding; the image itself is only in the browser."""

    name: str = Field(description="of the file")
    encoded: EncodeResponse


class AdditionalImage(Stored):
    """Another image of the same lesion, after encoding."""

    name: str = Field(description="of the file")
    bundle_version: str
    latent: Latent


class SearchStart(Stored):
    """Where a search starts: an upload with its additional images, or a case; and the examples that move it."""

    query: Query | None = None
    additional: list[AdditionalImage] = []
    case: CaseId | None = None
    own_lesion: Code | None = None
    examples: list[Example] = []


class Model(Stored):
    """The model in use as the page needs it; all lists are [D]."""

    version: str
    names: list[str] = Field(description="of the dimensions, as the projector keeps them")
    dimensions: list[str] = Field(description="the same as the page shows them")
    clinical: list[float] = Field(description="clinical weights")
    evidence: list[str] = Field(
        default=[], description="for the names, as the page shows it; empty where there is none"
    )


class OwnWeights(Stored):
    """The user's own weights; the script keeps more beside them."""

    version: str = Field(description="of the model that they are for")
    values: list[float] = Field(description="[D]")


class MapLook(Stored):
    """How the browser draws the map."""

    scheme: Literal["light", "dark"]
    engine: Literal["scattergl", "scatter"] = Field(
        description="scatter where the browser has no WebGL: slow from some ten thousand points on"
    )


class DrawnMap(MapLook):
    """The map in the figure, and how many traces its cases take; overlays come after them."""

    id: MapId
    traces: int


class MapPath(Stored):
    """A line on the map."""

    map_id: MapId
    name: str
    x: list[float]
    y: list[float]


class OpenCase(Stored):
    """The case in the dialog."""

    id: CaseId


def collection_in(data: Json) -> Collection | None:
    """The collection; none before the first answer of search."""
    return _parsed(Collection, data)


def model_in(data: Json) -> Model | None:
    """The model; none before the first answer of the encoder."""
    return _parsed(Model, data)


def query_in(data: Json) -> Query | None:
    """The query; none before an upload."""
    return _parsed(Query, data)


def results_in(data: Json) -> SearchResponse | None:
    """The answer of the last search."""
    return _parsed(SearchResponse, data)


def placement_in(data: Json) -> Placement | None:
    """The place of the query on the map."""
    return _parsed(Placement, data)


def drawn_map_in(data: Json) -> DrawnMap | None:
    """The map that is drawn; none before one is."""
    return _parsed(DrawnMap, data)


def map_path_in(data: Json) -> MapPath | None:
    """The path that the map shows."""
    return _parsed(MapPath, data)


def dimension_names(data: Json) -> list[str]:
    """Names of the dimensions in the store of the model, as the page shows them; empty before it is known."""
    model = model_in(data)
    return model.dimensions if model else []


def name_evidence(data: Json) -> list[str]:
    """Evidence for the names of the dimensions in the store of the model; empty before it is known."""
    model = model_in(data)
    return model.evidence if model else []


def dumped(value: BaseModel | None) -> Json:
    """As a store keeps it."""
    return None if value is None else value.model_dump(mode="json")


def _parsed(kind: type[B], data: Json) -> B | None:
    return None if data is None else kind.model_validate(data)
