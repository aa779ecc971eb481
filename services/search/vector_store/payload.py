"""How the engine stores a case: a point id, and a payload without the unknown values."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from casekin.contracts.base import CaseId
from casekin.contracts.cases import FACETED, MOST_FILTERABLE, Case
from casekin.contracts.conditions import is_column
from services.search.vector_store.port import StoredCase

KEYWORDS = (*FACETED, "lesion_id")
"""Fields with a keyword index; `age` has a numeric index."""
CASE_FIELDS = tuple(Case.model_fields)
_NAMESPACE = uuid.UUID("6f2d3c58-8c5e-5e0b-9d6a-6b1f0c9f7a11")


def point_id(case_id: CaseId) -> uuid.UUID:
    """The engine's id of a case: a uuid5, since engines accept no other strings."""
    return uuid.uuid5(_NAMESPACE, case_id)


def payload_key(field: str) -> str:
    """The payload path of a condition's field; column names are quoted, since they may have dots in them."""
    group, dot, name = field.partition(".")
    return f'{group}."{name}"' if dot else field


def field_of(key: str) -> str:
    """The inverse of `payload_key`."""
    group, dot, name = key.partition(".")
    return f"{group}.{name.strip(chr(34))}" if dot else key


def columns_to_index(cases: Iterable[StoredCase], indexed: Collection[str]) -> list[str]:
    """Further fields of these cases that need a payload index beside those `indexed`, at most `MOST_FILTERABLE` in all.

    A column of the collection beyond that is stored with its cases, and cannot be counted or filtered by.
    """
    fields = {f"attributes.{name}" for stored in cases for name in stored.case.attributes}
    new = sorted(field for field in fields.difference(indexed) if is_column(field))
    return new[: max(0, MOST_FILTERABLE - len(indexed))]


def to_payload(stored: StoredCase) -> dict[str, Any]:
    """The payload of a case; unknown values are absent, so that `is empty` matches them."""
    known = stored.case.model_dump(exclude_none=True, exclude_defaults=True)
    return {**known, "digest": stored.digest, "image": stored.image}


def to_case(payload: Mapping[str, Any]) -> Case:
    """The case of a payload."""
    return Case.model_validate({key: payload[key] for key in CASE_FIELDS if key in payload})


def to_stored(payload: Mapping[str, Any], latent: Any) -> StoredCase:
    """The stored case of a payload and its vector in the space `visual`."""
    return StoredCase(to_case(payload), np.asarray(latent, np.float32), payload["digest"], payload["image"])
