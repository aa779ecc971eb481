"""Cases in memory behind the part of the index port that counts, with a record of what was counted."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from casekin.contracts.cases import Case
from casekin.contracts.conditions import Condition
from services.search.vector_store.port import CaseIndex
from tests.integration.search.test_search_exact import passes


class View:
    """A revision."""

    def __init__(self, revision: str) -> None:
        self.revision = revision


class Counted:
    """Counts `cases`; `calls` are the counts that were computed."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = list(cases)
        self.revision = "1"
        self.calls: list[tuple[Any, ...]] = []

    def view(self) -> View:
        return View(self.revision)

    def columns(self) -> list[str]:
        return sorted({f"attributes.{name}" for case in self.cases for name in case.attributes})

    def count(self, conditions: Sequence[Condition] = ()) -> int:
        self.calls.append(("count", tuple(conditions)))
        return len(self._passing(conditions))

    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        self.calls.append(("facet", field, tuple(conditions), most))
        group, _, name = field.partition(".")
        found = self._passing(conditions)
        values = [case.attributes.get(name) if name else getattr(case, group) for case in found]
        return dict(Counter(value for value in values if value is not None).most_common(most))

    def age_range(self) -> tuple[float, float] | None:
        ages = [case.age for case in self.cases if case.age is not None]
        return (min(ages), max(ages)) if ages else None

    def _passing(self, conditions: Sequence[Condition]) -> list[Case]:
        return [case for case in self.cases if all(passes(case, condition) for condition in conditions)]

    @property
    def port(self) -> CaseIndex:
        return cast(CaseIndex, self)
