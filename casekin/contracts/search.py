"""Contracts of the search service: cases, filters, matches, neighbour statistics, facets."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from casekin.contracts.base import CaseId, Code, Contract, Latent, Preset

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
    attributes: dict[str, str] = Field(default_factory=dict, max_length=64, description="further columns, as they came")


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
    """The part ``batch`` of ``PUT /v1/cases`` (multipart; parts ``images``: files named by case id)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "cases": [{"case": _CASE, "latent": [0.3, -1.2], "digest": "0" * 64}],
            }
        }
    )

    bundle_version: str
    cases: list[CaseUpload] = Field(min_length=1, max_length=256)


class CaseBatchReceipt(Contract):
    """Answer to ``PUT /v1/cases``: sent only when all of it is durable."""

    model_config = ConfigDict(json_schema_extra={"example": {"stored": 64, "revision": "8470-9f2c"}})

    stored: int
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
    name: str
    malignant: bool | None = Field(default=None, description="none where the collection does not say")
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")


class CollectionInfo(Contract):
    """What a collection says of itself; body of ``PUT /v1/collection``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "title": "HAM10000",
                "licence": "CC BY-NC 4.0",
                "citation": "Tschandl et al., Sci Data 5:180161, 2018",
                "diagnoses": [{"code": "nv", "name": "Melanocytic nevus", "malignant": False, "colour": "#7c9cbf"}],
                "labels": {"evidence": {"histo": "histopathology"}},
            }
        }
    )

    title: str = Field(min_length=1, max_length=120)
    licence: str | None = None
    citation: str | None = None
    diagnoses: list[Diagnosis] = Field(default_factory=list, description="in the order to show them")
    labels: dict[str, dict[str, str]] = Field(default_factory=dict, description="by field: code -> what the page shows")


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


class Filters(Contract):
    """Which cases may match: a list asks for any of its values, all conditions must hold; empty means no condition."""

    diagnosis: list[Code] = Field(default_factory=list)
    site: list[Code] = Field(default_factory=list)
    sex: list[Code] = Field(default_factory=list)
    evidence: list[Code] = Field(default_factory=list)
    source: list[Code] = Field(default_factory=list)
    age_min: float | None = Field(default=None, ge=0, le=130, description="years, inclusive")
    age_max: float | None = Field(default=None, ge=0, le=130, description="years, inclusive")
    keep_unknown: bool = Field(default=False, description="a case whose value is unknown passes that condition")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.age_min is not None and self.age_max is not None and self.age_min > self.age_max:
            raise ValueError(f"age_min {self.age_min:g} is above age_max {self.age_max:g}")
        return self


class SearchRequest(Contract):
    """Body of ``POST /v1/search``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "latent": [0.3, -1.2],
                "filters": {"diagnosis": ["mel", "nv"], "age_min": 30, "keep_unknown": True},
                "preset": "custom",
                "weights": [1.0, 0.5],
                "k": 12,
            }
        }
    )

    bundle_version: str
    latent: Latent
    filters: Filters = Filters()
    preset: Preset | Literal["custom"] = "clinical"
    weights: list[float] | None = Field(default=None, description="D numbers, with preset custom only")
    k: int = Field(default=12, ge=1, le=200)
    one_per_lesion: bool = Field(default=True, description="only the nearest case of each lesion")
    exclude_lesion: Code | None = Field(default=None, description="the query's own lesion, never a match")


class Match(Contract):
    """One answer of a search."""

    case: Case
    distance: float = Field(ge=0)
    similarity: float = Field(
        ge=0, le=1, description="of validation matches this close, the share that shared the diagnosis"
    )
    contributions: list[float] = Field(
        description="share of each dimension in distance squared; sums to 1, or all 0 at distance 0"
    )


class DiagnosisShare(Contract):
    """A diagnosis among the neighbours."""

    diagnosis: Code
    count: int
    share: float = Field(ge=0, le=1, description="weighted by similarity")
    corrected: float = Field(ge=0, le=1, description="divided by the diagnosis's share in the collection, normalised")


class NeighbourStatistics(Contract):
    """Diagnoses among the returned matches."""

    neighbours: int
    diagnoses: list[DiagnosisShare]


class SearchResponse(Contract):
    """Answer to ``POST /v1/search``: matches by distance ascending, ties by id."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "matches": [{"case": _CASE, "distance": 0.8, "similarity": 0.78, "contributions": [0.4, 0.6]}],
                "statistics": {
                    "neighbours": 1,
                    "diagnoses": [{"diagnosis": "nv", "count": 1, "share": 1.0, "corrected": 1.0}],
                },
                "passing": 8470,
                "revision": "8470-9f2c",
            }
        }
    )

    matches: list[Match]
    statistics: NeighbourStatistics
    passing: int = Field(description="cases that pass the filters")
    revision: str


class FacetValue(Contract):
    """How many cases under the current filter have this value; none counts the unknown."""

    value: Code | None
    count: int


class Facets(Contract):
    """Answer to ``GET /v1/facets`` (query: the filters).

    The counts of a field ignore the filter's own condition on that field, so that its other values can still be chosen.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "fields": {"diagnosis": [{"value": "nv", "count": 5600}]},
                "age_min": 0,
                "age_max": 85,
                "age_unknown": 50,
                "passing": 8470,
            }
        }
    )

    fields: dict[str, list[FacetValue]] = Field(description="by field, most frequent first")
    age_min: float | None = Field(description="years, over the whole collection")
    age_max: float | None
    age_unknown: int
    passing: int
