"""What the neighbours of a query say together."""

from pydantic import Field

from casekin.contracts.base import Code, Contract


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
