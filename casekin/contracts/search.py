"""Contracts of the search service: cases, collections, searches, matches, facets."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator

from casekin.contracts.base import (
    BundleVersion,
    CaseId,
    Cell,
    Code,
    Contract,
    Label,
    Latent,
    Note,
    Preset,
)
from casekin.contracts.conditions import Condition, Filters
from casekin.contracts.neighbours import ImageMeasures, NeighbourStatistics

_CASE: dict[str, JsonValue] = {
    "id": "ISIC_0000001",
    "lesion_id": "HAM_0000001",
    "diagnosis": "nv",
    "evidence": "histo",
    "age": 45,
    "sex": "female",
    "site": "back",
    "source": "vidir_modern",
    "attributes": {},
}
FACETED = ("diagnosis", "site", "sex", "evidence", "source")
"""Fields of a case that hold one code and can be filtered and counted."""
MOST_COLUMNS = 500
"""Further columns of a case."""
MOST_FILTERABLE = 64
"""Further columns of the whole collection that can be counted and filtered by: each has an index of its own."""
_LONGEST_CASE = 100_000
"""Characters in all further columns of a case, so that a batch of cases fits into one request."""


def _known(cells: dict[str, str]) -> dict[str, str]:
    """Cells that are not empty; raises ValueError where there are too many, or they are too long in all."""
    cells = {name: cell for name, cell in cells.items() if cell}
    if len(cells) > MOST_COLUMNS:
        raise ValueError(f"the case has {len(cells)} further columns; at most {MOST_COLUMNS} are allowed")
    if (size := sum(map(len, cells.values()))) > _LONGEST_CASE:
        raise ValueError(f"the further columns have {size} characters in all; at most {_LONGEST_CASE} are allowed")
    return cells


Attributes = Annotated[dict[Code, Cell], AfterValidator(_known)]
"""Further columns of a case by name; an empty cell is unknown, and left out."""


class Case(Contract):
    """One image of the collection with its metadata; unknown values are none."""

    model_config = ConfigDict(json_schema_extra={"example": _CASE})

    id: CaseId
    lesion_id: Code | None = Field(default=None, description="cases of one lesion share it")
    diagnosis: Code | None = None
    evidence: Code | None = None
    age: float | None = Field(default=None, ge=0, le=130, description="years")
    sex: Code | None = None
    site: Code | None = None
    source: Code | None = None
    attributes: Attributes = Field(default_factory=dict, description="further columns, as they came")
    collection: Label | None = Field(default=None, description="title of the collection that the case came with")


class CaseUpload(Contract):
    """A case on its way into the collection; its image travels beside it under the case's id."""

    model_config = ConfigDict(json_schema_extra={"example": {"case": _CASE, "latent": [0.3, -1.2], "digest": "0" * 64}})

    case: Case
    latent: Latent
    digest: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="sha256 over image bytes and metadata: equal digests need no second ingest",
    )


class CaseBatch(Contract):
    """The part ``batch`` of ``PUT /v1/cases`` (multipart; parts ``images``: files named by case id).

    A file name is the id percent-encoded, for quotes and backslashes do not survive in the name of a part.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "cases": [{"case": _CASE, "latent": [0.3, -1.2], "digest": "0" * 64}],
            }
        }
    )

    bundle_version: BundleVersion
    cases: list[CaseUpload] = Field(min_length=1, max_length=256)
    take_over: bool = Field(default=False, description="also replace cases that came with another collection")


class CaseBatchReceipt(Contract):
    """Answer to ``PUT /v1/cases``: sent only when all of it is durable.

    A case whose id is that of a stored case of another collection is left out, and named in `taken`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "stored": 63,
                "replaced": ["ISIC_0000001"],
                "taken": {"ISIC_0000002": "HAM10000"},
                "revision": "8470-9f2c",
            }
        }
    )

    stored: int = Field(ge=0, description="new and replaced cases")
    replaced: list[CaseId] = Field(description="of those stored, the ones that were in the collection before")
    taken: dict[CaseId, Label] = Field(description="cases left out -> the collection that has their id")
    revision: str


ELSEWHERE = (
    "Cached latents, maps and results of the projector have the cases until POST /v1/cases/purge, which `casekin "
    "delete` sends, or until the projector finds their deletion by itself, a minute or two later; backups have them "
    "until they are overwritten."
)


class Deletion(Contract):
    """Answer to ``DELETE /v1/cases/{id}`` and ``DELETE /v1/lesions/{id}``: sent when search has deleted the cases."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"cases": ["ISIC_0000001"], "files": 2, "left": 0, "revision": "8469-9f2d"}}
    )

    cases: list[CaseId] = Field(description="that were in the collection")
    files: int = Field(ge=0, description="images and thumbnails removed")
    left: int = Field(ge=0, description="cases and their files that search, its snapshots or its images still have; 0")
    elsewhere: str = Field(
        default=ELSEWHERE, description="what outside search still has the cases, and until when: in one sentence"
    )
    revision: str


class DigestQuery(Contract):
    """Body of ``POST /v1/cases/digests``: which of these are stored already, and with what digest?"""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": ["ISIC_0000001"]}})

    ids: list[CaseId] = Field(min_length=1, max_length=10_000)


class Digests(Contract):
    """Answer to ``POST /v1/cases/digests``: the digest of each id that is stored."""

    model_config = ConfigDict(json_schema_extra={"example": {"digests": {"ISIC_0000001": "0" * 64}}})

    digests: dict[CaseId, str]


class LatentPage(Contract):
    """Answer to ``GET /v1/latents?after=&limit=``: cases with latents in the order of their ids, for map and export."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "cases": [_CASE],
                "latents": [[0.3, -1.2]],
                "next": None,
            }
        }
    )

    bundle_version: str
    cases: list[Case]
    latents: list[Latent]
    next: CaseId | None = Field(description="pass as `after` for the next page; none at the end")


class Diagnosis(Contract):
    """One diagnosis of the collection's vocabulary."""

    code: Code
    name: Label
    malignant: bool | None = Field(default=None, description="none where the collection does not say")
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")


class Source(Contract):
    """One of several collections whose cases were ingested."""

    title: Label
    licence: Note | None = None
    citation: Note | None = None


class CollectionInfo(Contract):
    """What a collection says of itself; body of ``PUT /v1/collection``.

    Where the cases come from several collections, `sources` names each, and title, licence and citation are of all.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "title": "HAM10000",
                "licence": "CC BY-NC 4.0",
                "citation": "Tschandl et al., Sci Data 5:180161, 2018",
                "diagnoses": [{"code": "nv", "name": "Melanocytic nevus", "malignant": False, "colour": "#7c9cbf"}],
                "labels": {"evidence": {"histo": "histopathology"}},
                "evidence_weights": {"histo": 1.0},
            }
        }
    )

    title: Label
    licence: Note | None = None
    citation: Note | None = None
    sources: tuple[Source, ...] = Field(default=(), description="in the order they came; empty where there is one")
    diagnoses: list[Diagnosis] = Field(default_factory=list, description="in the order to show them")
    labels: dict[Code, dict[Code, Label]] = Field(
        default_factory=dict, description="by field: code -> what the page shows"
    )
    evidence_weights: dict[Code, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="how much a neighbour's diagnosis counts by its evidence; 1 where not named"
    )


class Collection(Contract):
    """Answer to ``GET /v1/collection``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "info": {"title": "HAM10000"},
                "bundle_version": "ham10000-2026.11.1",
                "cases": 8470,
                "lesions": 6304,
                "revision": "8470-9f2c",
            }
        }
    )

    info: CollectionInfo
    bundle_version: str
    cases: int
    lesions: int
    revision: str = Field(description="changes when a case is added, changed or deleted; keys the map")


Sort = Literal["distance", "evidence", "age"]


class Example(Contract):
    """A case of the collection that matches should be like, or with a negative weight unlike."""

    case: CaseId
    weight: float = Field(ge=-4, le=4, description="more like it above 0, less like it below; the query itself has 1")

    @model_validator(mode="after")
    def _says(self) -> Self:
        if self.weight == 0:
            raise ValueError(f"example {self.case} has weight 0; leave it out, or give it a weight from -4 to 4")
        return self


class SearchRequest(Contract):
    """Body of ``POST /v1/search``: from the latents of one lesion's images, or from a case of the collection."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "latents": [[0.3, -1.2]],
                "examples": [{"case": "ISIC_0000001", "weight": 1.0}],
                "filters": [
                    {"kind": "any_of", "field": "diagnosis", "values": ["mel", "nv"]},
                    {"kind": "not", "of": {"kind": "any_of", "field": "site", "values": ["face"]}},
                    {"kind": "between", "field": "age", "low": 30, "keep_unknown": True},
                ],
                "preset": "custom",
                "weights": [1.0, 0.5],
                "k": 12,
            }
        }
    )

    bundle_version: BundleVersion
    latents: tuple[Latent, ...] = Field(
        default=(), max_length=8, description="of images of one lesion: distance² is the mean over them"
    )
    case: CaseId | None = Field(default=None, description="start from this case instead; its lesion is set apart")
    examples: tuple[Example, ...] = Field(
        default=(), max_length=32, description="more like these, less like those; they are no matches themselves"
    )
    filters: Filters = ()
    preset: Preset | Literal["custom"] = "clinical"
    weights: list[float] | None = Field(default=None, description="D numbers, with preset custom only")
    k: int = Field(default=12, ge=1, le=200)
    offset: int = Field(
        default=0, ge=0, le=1000, description="matches to pass over: the next page begins at offset + k"
    )
    one_per_lesion: bool = Field(
        default=True,
        description="one match a lesion, near-duplicates behind the nearest, and what is the query itself set apart",
    )
    own_lesion: Code | None = Field(default=None, description="the query's own lesion, set apart and never a match")
    diversity: float = Field(
        default=0, ge=0, le=1, description="0 takes the nearest; above it, maximal marginal relevance with 1 - λ"
    )
    sort: Sort = Field(
        default="distance", description="order of the matches found; the best evidence or youngest first"
    )

    image: ImageMeasures | None = Field(default=None, description="of the query's image, where it is one upload")

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if bool(self.latents) == (self.case is not None):
            raise ValueError("a search starts from latents or from a case: give one of the two")
        if self.diversity and self.offset + self.k > MOST_DIVERSE:
            raise ValueError(f"offset + k is {self.offset + self.k}; with diversity at most {MOST_DIVERSE}")
        return self


MOST_DIVERSE = 200
"""Matches that can be chosen for their diversity, over all pages."""


class Hidden(Contract):
    """A case nearer than the last match that is not one itself."""

    case: CaseId
    reason: Literal["lesion", "duplicate"] = Field(
        description="of the same lesion as the match, or the same picture to within what re-saving it changes"
    )
    distance: float = Field(ge=0)


class Match(Contract):
    """One answer of a search."""

    case: Case
    distance: float = Field(ge=0, description="to the query's images, whatever the examples")
    similarity: float = Field(
        ge=0, le=1, description="of validation matches this close, the share that shared the diagnosis"
    )
    contributions: list[float] = Field(
        description="share of each dimension in distance squared; sums to 1, or all 0 at distance 0"
    )
    hidden: list[Hidden] = Field(
        default_factory=list, description="cases that this one stands for, nearest first, at most 100"
    )
    more_hidden: bool = Field(default=False, description="whether it stands for more cases than `hidden` lists")


class OwnCase(Contract):
    """A case of the query's own lesion: it tells nothing about other lesions, so it is no match."""

    case: Case
    distance: float = Field(ge=0)
    same_picture: bool = Field(description="the query itself, to within what re-saving it changes")


class ConditionEffect(Contract):
    """What one of the filters does to the collection."""

    condition: Condition
    excludes: int = Field(ge=0, description="cases that fail it, whatever the others say")
    passing_without: int = Field(ge=0, description="cases that would pass if it were left out")


class SearchResponse(Contract):
    """Answer to ``POST /v1/search``.

    Matches are the nearest, ties by id: to the query, or with examples to the point that they move it to. With
    `diversity` they are chosen one by one; `sort` then orders those of this page.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "matches": [{"case": _CASE, "distance": 0.8, "similarity": 0.78, "contributions": [0.4, 0.6]}],
                "statistics": {
                    "neighbours": 1,
                    "diagnoses": [{"diagnosis": "nv", "count": 1, "share": 1.0, "corrected": 1.0}],
                    "agreement": 1.0,
                    "conformal": {"coverage": 0.9, "diagnoses": ["nv"]},
                    "out_of_distribution": {
                        "score": 0.4,
                        "limit": 3.5,
                        "is_out_of_distribution": False,
                        "reasons": [],
                    },
                    "uncalibrated": None,
                },
                "passing": 8470,
                "revision": "8470-9f2c",
                "more": True,
                "own": [],
                "excluded_by": [],
            }
        }
    )

    matches: list[Match]
    statistics: NeighbourStatistics
    passing: int = Field(description="cases that pass the filters")
    revision: str
    more: bool = Field(description="whether there is a match after these")
    truncated: bool = Field(
        default=False, description="the search stopped after 16,384 candidates; farther matches may be missing"
    )
    own: list[OwnCase] = Field(description="nearest first; of the query's own lesion as far as it is known")
    excluded_by: list[ConditionEffect] = Field(description="one a filter where nothing passes, otherwise empty")
