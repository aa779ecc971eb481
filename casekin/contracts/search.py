"""Contracts of search: requests, matches and what else an answer says."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from casekin.contracts.base import (
    BundleVersion,
    CaseId,
    Code,
    Contract,
    Latent,
    WeightsChoice,
)
from casekin.contracts.cases import CASE_EXAMPLE, Case
from casekin.contracts.conditions import Condition, Filters
from casekin.contracts.neighbours import ImageMeasures, NeighbourStatistics

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
    preset: WeightsChoice = "clinical"
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
        ge=0,
        le=1,
        description="probability that it shares the query's diagnosis, measured on validation images: by its "
        "diagnosis, distance, evidence and source and the neighbours' votes; by its diagnosis and distance alone where "
        "`statistics.uncalibrated` says why",
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
                "matches": [{"case": CASE_EXAMPLE, "distance": 0.8, "similarity": 0.78, "contributions": [0.4, 0.6]}],
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
