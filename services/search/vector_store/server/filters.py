"""Conditions in the words of qdrant-client."""

from collections.abc import Sequence
from typing import Any

from qdrant_client import models as qm

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from services.search.vector_store.payload import payload_key


def server_filter(conditions: Sequence[Condition]) -> qm.Filter | None:
    """A filter that all `conditions` must pass; none where there are none."""
    return qm.Filter(must=_all(conditions)) if conditions else None


def _all(conditions: Sequence[Condition]) -> list[Any]:
    return [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> Any:
    match condition:
        case And(of=parts):
            return qm.Filter(must=_all(parts))
        case Or(of=parts):
            return qm.Filter(should=_all(parts))
        case Not(of=part):
            return qm.Filter(must_not=[_condition(part)])
        case AnyOf(field=field, values=values):
            if not values:
                return qm.IsEmptyCondition(is_empty=qm.PayloadField(key=payload_key(field)))
            asked = qm.FieldCondition(key=payload_key(field), match=qm.MatchAny(any=list(values)))
        case Between(field=field, low=low, high=high):
            asked = qm.FieldCondition(key=field, range=qm.Range(gte=low, lte=high))
    unknown = qm.IsEmptyCondition(is_empty=qm.PayloadField(key=payload_key(field)))
    return qm.Filter(should=[asked, unknown]) if condition.keep_unknown else asked
