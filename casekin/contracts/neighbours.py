"""Statistics of a query's nearest cases, and how far they can be trusted."""

from pydantic import Field

from casekin.contracts.base import Code, Contract

MAX_SHARPNESS = 16_000
"""1000 times the largest variance of a 4-neighbour Laplacian of luma in 0..1, whose values lie within ±4."""


class ImageMeasures(Contract):
    """Measures of the query's image by the encoder (its ``Quality``); they sharpen the out-of-distribution score."""

    reconstruction_error: float = Field(ge=0, le=1, description="mean squared error in 0..1")
    sharpness: float = Field(ge=0, le=MAX_SHARPNESS)
    brightness: float = Field(ge=0, le=1)


class DiagnosisShare(Contract):
    """A diagnosis among the neighbours."""

    diagnosis: Code
    count: int = Field(ge=0)
    share: float = Field(ge=0, le=1, description="of the votes, each weighted by nearness and evidence")
    corrected: float = Field(
        ge=0, le=1, description="prior-adjusted: divided by the diagnosis's share of the collection, normalised"
    )


class ConformalSet(Contract):
    """Diagnoses that cannot be excluded: of images of any diagnosis, `coverage` have theirs in the set.

    It is wider for an image unlike the collection, by its out-of-distribution score.
    """

    coverage: float = Field(gt=0, lt=1)
    diagnoses: list[Code] = Field(description="most probable first by corrected share")


class OutOfDistribution(Contract):
    """How unlike the collection's images the query is; one in a hundred of its own images scores above the limit."""

    score: float = Field(ge=0, description="0 where no measure lies beyond its tail")
    limit: float = Field(ge=0)
    is_out_of_distribution: bool = Field(description="whether the score is above the limit")
    reasons: list[str] = Field(description="in words, weightiest first; empty where the score is within the limit")


class NeighbourStatistics(Contract):
    """Diagnoses among the nearest cases, however many are shown as matches."""

    neighbours: int = Field(ge=0, description="with a vote")
    diagnoses: list[DiagnosisShare] = Field(description="largest share first")
    agreement: float = Field(
        ge=0, le=1, description="share of the votes that the leading diagnosis has; 0 without votes"
    )
    conformal: ConformalSet | None = Field(description="none where `uncalibrated` says why")
    out_of_distribution: OutOfDistribution | None = Field(description="likewise")
    uncalibrated: str | None = Field(description="why shares are bare votes without a promise; none where calibrated")
