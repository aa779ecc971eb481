"""Translate conditions into filters of qdrant-edge."""

from collections.abc import Collection, Sequence
from typing import TypeAlias
from uuid import UUID

import qdrant_edge as qe

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from services.search.vector_store.payload import payload_key

Clause: TypeAlias = (
    qe.FieldCondition
    | qe.IsEmptyCondition
    | qe.IsNullCondition
    | qe.HasIdCondition
    | qe.HasVectorCondition
    | qe.NestedCondition
    | qe.Filter
)
"""What a filter of the engine takes; not all of it is used here."""


def edge_filter(conditions: Sequence[Condition], without: Collection[UUID] = ()) -> qe.Filter | None:
    """A filter that passes cases that meet all `conditions` and are not in `without`; none if every case passes."""
    if not conditions and not without:
        return None
    return qe.Filter(must=_all(conditions), must_not=[qe.HasIdCondition({*without})] if without else None)


def _all(conditions: Sequence[Condition]) -> list[Clause]:
    return [_clause(condition) for condition in conditions]


def _clause(condition: Condition) -> Clause:
    match condition:
        case And(of=parts):
            return qe.Filter(must=_all(parts))
        case Or(of=parts):
            return qe.Filter(should=_all(parts))
        case Not(of=part):
            return qe.Filter(must_not=[_clause(part)])
        case AnyOf(field=field, values=values):
            if not values:
                return qe.IsEmptyCondition(payload_key(field))
            known = qe.FieldCondition(payload_key(field), match=qe.MatchAny(list(values)))
        case Between(field=field, low=low, high=high):
            known = qe.FieldCondition(field, range=qe.RangeFloat(gte=low, lte=high))
    return qe.Filter(should=[known, qe.IsEmptyCondition(payload_key(field))]) if condition.keep_unknown else known
