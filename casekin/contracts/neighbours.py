"""What the neighbours of a query say together, and how far that can be trusted."""

from pydantic import Field

from casekin.contracts.base import Code, Contract

MAX_SHARPNESS = 16_000
"""1000 times the largest variance of a 4-neighbour Laplacian of luma in 0..1, whose values lie within ±4."""


class ImageMeasures(Contract):
    """What the encoder measured on the query's image, see its ``Quality``; tells a strange image better."""

    reconstruction_error: float = Field(ge=0, le=1, description="mean squared error in 0..1")
    sharpness: float = Field(ge=0, le=MAX_SHARPNESS)
    brightness: float = Field(ge=0, le=1)


class DiagnosisShare(Contract):
    """A diagnosis among the neighbours."""

    diagnosis: Code
    count: int = Field(ge=0)
    share: float = Field(ge=0, le=1, description="of the votes, each weighted by similarity and evidence")
    corrected: float = Field(ge=0, le=1, description="divided by the diagnosis's share of the collection, normalised")


class ConformalSet(Contract):
    """Diagnoses that cannot be excluded: of images of any diagnosis, `coverage` have theirs in the set."""

    coverage: float = Field(gt=0, lt=1)
    diagnoses: list[Code] = Field(description="most probable first by corrected share")


class Strangeness(Contract):
    """How far the query is from what the collection holds; beyond the limit one image of it in a hundred lies."""

    score: float = Field(ge=0)
    limit: float = Field(ge=0)
    is_strange: bool
    reasons: list[str] = Field(description="in words, weightiest first; empty where nothing is odd")


class NeighbourStatistics(Contract):
    """Diagnoses among the nearest cases, however many are shown as matches."""

    neighbours: int = Field(ge=0, description="that have a say")
    diagnoses: list[DiagnosisShare] = Field(description="largest share first")
    agreement: float = Field(
        ge=0, le=1, description="share of the votes that the leading diagnosis has; 0 without votes"
    )
    conformal: ConformalSet | None = Field(description="none where `uncalibrated` says why")
    strangeness: Strangeness | None = Field(description="likewise")
    uncalibrated: str | None = Field(description="why shares are bare votes without a promise; none where calibrated")
