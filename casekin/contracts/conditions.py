"""Conditions on cases: which values a field may have, joined by and, or, not.

Every condition is true or false of a case. A value that is unknown fulfils `AnyOf` and `Between` only where they keep
the unknown; so ``not`` of a condition that keeps the unknown leaves it out, and the other way round.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from casekin.contracts.base import Code, Contract

FIELDS = ("diagnosis", "site", "sex", "evidence", "source", "lesion_id")
_COLUMN = re.compile(r'attributes\.[^"\\\[\]]{1,80}')


def is_column(field: str) -> bool:
    """Whether it is ``attributes.NAME`` with a name that engines can look up."""
    return _COLUMN.fullmatch(field) is not None


def _code_field(name: str) -> str:
    if name not in FIELDS and not is_column(name):
        raise ValueError(f"there is no field {name!r}; fields are {', '.join(FIELDS)}, age and attributes.COLUMN")
    return name


CodeField = Annotated[str, AfterValidator(_code_field)]
"""A field that holds one value of a vocabulary; ``attributes.NAME`` is a further column of the collection."""
DEEPEST = 8
"""Conditions within conditions."""


class AnyOf(Contract):
    """The field has one of the values; with `keep_unknown`, or none at all."""

    kind: Literal["any_of"] = "any_of"
    field: CodeField
    values: tuple[Code, ...] = Field(default=(), max_length=1000)
    keep_unknown: bool = Field(default=False, description="a case whose value is unknown passes too")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self.values and not self.keep_unknown:
            raise ValueError(f"{self.field}: name a value, or keep the unknown")
        return self


class Between(Contract):
    """The age lies within the bounds, both inclusive; with `keep_unknown`, or is not known."""

    kind: Literal["between"] = "between"
    field: Literal["age"] = "age"
    low: float | None = Field(default=None, ge=0, le=130, description="years, inclusive")
    high: float | None = Field(default=None, ge=0, le=130, description="years, inclusive")
    keep_unknown: bool = Field(default=False, description="a case whose age is unknown passes too")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.field}: low {self.low:g} is above high {self.high:g}")
        return self


class And(Contract):
    """All of them hold."""

    kind: Literal["and"] = "and"
    of: tuple["Condition", ...] = Field(min_length=1, max_length=64)


class Or(Contract):
    """At least one of them holds."""

    kind: Literal["or"] = "or"
    of: tuple["Condition", ...] = Field(min_length=1, max_length=64)


class Not(Contract):
    """It does not hold."""

    kind: Literal["not"] = "not"
    of: "Condition"


Condition = Annotated[AnyOf | Between | And | Or | Not, Field(discriminator="kind")]

for _joined in (And, Or, Not):
    _joined.model_rebuild()


def leaves(conditions: Sequence[Condition]) -> Iterator[AnyOf | Between]:
    """The conditions on single fields, however deep."""
    for condition in conditions:
        match condition:
            case And(of=parts) | Or(of=parts):
                yield from leaves(parts)
            case Not(of=part):
                yield from leaves([part])
            case AnyOf() | Between():
                yield condition


def depth(condition: Condition) -> int:
    """How many conditions lie within one another."""
    match condition:
        case And(of=parts) | Or(of=parts):
            return 1 + max(depth(part) for part in parts)
        case Not(of=part):
            return 1 + depth(part)
        case _:
            return 1


def without(conditions: Sequence[Condition], field: str) -> tuple[Condition, ...]:
    """Those that do not speak of `field` alone."""
    return tuple(one for one in conditions if {leaf.field for leaf in leaves([one])} != {field})


def _shallow(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    for condition in conditions:
        if (found := depth(condition)) > DEEPEST:
            raise ValueError(f"conditions lie {found} deep in one another; at most {DEEPEST}")
    return conditions


Filters = Annotated[tuple[Condition, ...], Field(max_length=64), AfterValidator(_shallow)]
"""Which cases may match: all conditions must hold; none lets every case pass."""
