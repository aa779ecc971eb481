"""Conditions in the words of qdrant-edge."""

from collections.abc import Sequence
from typing import Any

import qdrant_edge as qe

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from services.search.vector_store.payload import payload_key


def edge_filter(conditions: Sequence[Condition]) -> qe.Filter | None:
    """A filter that all `conditions` must pass; none where there are none."""
    return qe.Filter(must=_all(conditions)) if conditions else None


def _all(conditions: Sequence[Condition]) -> list[Any]:
    return [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> Any:
    match condition:
        case And(of=parts):
            return qe.Filter(must=_all(parts))
        case Or(of=parts):
            return qe.Filter(should=_all(parts))
        case Not(of=part):
            return qe.Filter(must_not=[_condition(part)])
        case AnyOf(field=field, values=values):
            if not values:
                return qe.IsEmptyCondition(payload_key(field))
            asked = qe.FieldCondition(payload_key(field), match=qe.MatchAny(list(values)))
        case Between(field=field, low=low, high=high):
            asked = qe.FieldCondition(field, range=qe.RangeFloat(gte=low, lte=high))
    return qe.Filter(should=[asked, qe.IsEmptyCondition(payload_key(field))]) if condition.keep_unknown else asked
