"""Columns of a small index in memory: counting cases takes the engine longer than searching them."""

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.cases import Case
from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or

Mask: TypeAlias = NDArray[np.bool_]
UNKNOWN = -1
_ATTRIBUTES = "attributes."


class CaseTable:
    """N cases of one revision, column by column; a column is built when it is first used."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases
        self._columns: dict[str, tuple[NDArray[np.int32], dict[str, int]]] = {}

    def count(self, conditions: Sequence[Condition]) -> int:
        """Number of cases that meet all `conditions`."""
        return int(np.count_nonzero(self._all(conditions)))

    def facet(self, field: str, conditions: Sequence[Condition]) -> dict[str, int]:
        """Number of cases that meet all `conditions` by known value of `field`."""
        codes, numbers = self._column(field)
        counts = np.bincount(codes[self._all(conditions)] + 1, minlength=len(numbers) + 1)[1:].tolist()
        return {value: counts[number] for value, number in numbers.items() if counts[number]}

    def _all(self, conditions: Sequence[Condition]) -> Mask:
        mask = np.ones(len(self._cases), bool)
        for condition in conditions:
            mask &= self._mask(condition)
        return mask

    def _mask(self, condition: Condition) -> Mask:
        match condition:
            case And(of=parts):
                return self._all(parts)
            case Or(of=parts):
                return np.asarray(np.logical_or.reduce([self._mask(part) for part in parts]))
            case Not(of=part):
                return ~self._mask(part)
            case AnyOf(field=field, values=values, keep_unknown=keep):
                codes, numbers = self._column(field)
                passing = np.zeros(len(numbers) + 1, bool)  # the last one is `UNKNOWN`
                passing[[numbers[value] for value in values if value in numbers]] = True
                passing[UNKNOWN] = keep
                return passing[codes]
            case Between(low=low, high=high, keep_unknown=keep):
                ages = self._ages
                inside = np.ones(len(ages), bool) if low is None else ages >= low
                inside &= True if high is None else ages <= high
                unknown = np.isnan(ages)
                return inside | unknown if keep else inside & ~unknown

    @cached_property
    def _ages(self) -> NDArray[np.float64]:
        """[N], NaN where unknown."""
        return np.array([np.nan if case.age is None else case.age for case in self._cases], np.float64)

    def _column(self, field: str) -> tuple[NDArray[np.int32], dict[str, int]]:
        """[N] numbers of values, and the number of each value."""
        if field not in self._columns:
            numbers: dict[str, int] = {}
            name = field.removeprefix(_ATTRIBUTES)
            values = (
                [case.attributes.get(name) for case in self._cases]
                if field.startswith(_ATTRIBUTES)
                else [getattr(case, field) for case in self._cases]
            )
            codes = [UNKNOWN if value is None else numbers.setdefault(value, len(numbers)) for value in values]
            self._columns[field] = np.array(codes, np.int32), numbers
        return self._columns[field]
