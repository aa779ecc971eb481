"""How many cases have which value, under filters."""

from pydantic import ConfigDict, Field

from casekin.contracts.base import Code, Contract
from casekin.contracts.conditions import Filters


class FacetValue(Contract):
    """How many cases under the current filter have this value; none counts the unknown."""

    value: Code | None
    count: int


class FacetQuery(Contract):
    """Body of ``POST /v1/facets``."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"filters": [{"kind": "between", "field": "age", "low": 30}]}}
    )

    filters: Filters = ()


class Facets(Contract):
    """Answer to ``POST /v1/facets``.

    The counts of a field ignore conditions on that field alone, so that its other values can still be chosen.
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

    fields: dict[str, list[FacetValue]] = Field(
        description="by field, most frequent first; of a further column (``attributes.NAME``) at most 50 values"
    )
    age_min: float | None = Field(description="years, over the whole collection")
    age_max: float | None
    age_unknown: int
    passing: int
