"""Translate conditions into filters of qdrant-client."""

from collections.abc import Collection, Sequence
from uuid import UUID

from qdrant_client import models as qm

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from services.search.vector_store.payload import payload_key


def server_filter(conditions: Sequence[Condition], without: Collection[UUID] = ()) -> qm.Filter | None:
    """A filter that passes cases that meet all `conditions` and are not in `without`; none if every case passes."""
    if not conditions and not without:
        return None
    left_out = qm.HasIdCondition(has_id=[str(point) for point in without])
    return qm.Filter(must=_all(conditions), must_not=[left_out] if without else None)


def _all(conditions: Sequence[Condition]) -> list[qm.Condition]:
    return [_clause(condition) for condition in conditions]


def _clause(condition: Condition) -> qm.Condition:
    match condition:
        case And(of=parts):
            return qm.Filter(must=_all(parts))
        case Or(of=parts):
            return qm.Filter(should=_all(parts))
        case Not(of=part):
            return qm.Filter(must_not=[_clause(part)])
        case AnyOf(field=field, values=values):
            if not values:
                return qm.IsEmptyCondition(is_empty=qm.PayloadField(key=payload_key(field)))
            known = qm.FieldCondition(key=payload_key(field), match=qm.MatchAny(any=list(values)))
        case Between(field=field, low=low, high=high):
            known = qm.FieldCondition(key=field, range=qm.Range(gte=low, lte=high))
    unknown = qm.IsEmptyCondition(is_empty=qm.PayloadField(key=payload_key(field)))
    return qm.Filter(should=[known, unknown]) if condition.keep_unknown else known
