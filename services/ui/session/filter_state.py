"""The state of the filter panel, and the conditions that it stands for."""

from collections import defaultdict
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from casekin.contracts.cases import FACETED
from casekin.contracts.conditions import AnyOf, Between, Condition, Filters, Not, Or

COLUMN_MARK = "\t"
"""Between name and value of a further column, in the values of its control; neither contains it."""


class FilterState(BaseModel):
    """The controls as they stand; a list holds codes."""

    model_config = ConfigDict(frozen=True)

    diagnosis: list[str] = []
    site: list[str] = []
    sex: list[str] = []
    evidence: list[str] = []
    source: list[str] = []
    columns: list[str] = []
    """``NAME<tab>VALUE`` of further columns."""
    excluded: list[str] = []
    """Controls whose chosen values are excluded rather than required."""
    age_min: float | None = None
    age_max: float | None = None
    keep_unknown: bool = False
    any_field: bool = False
    """One of the fields is enough."""

    def filters(self) -> Filters:
        """The conditions of a search."""
        parts = [self._any_of(name, name, self.codes(name)) for name in FACETED if self.codes(name)]
        parts += [self._any_of("columns", f"attributes.{name}", values) for name, values in self.by_column().items()]
        if self.has_age_range:
            parts.append(Between(low=self.age_min, high=self.age_max, keep_unknown=self.keep_unknown))
        return (Or(of=tuple(parts)),) if self.any_field and len(parts) > 1 else tuple(parts)

    def codes(self, control: str) -> list[str]:
        """The chosen values of one control."""
        values: list[str] = getattr(self, control)
        return values

    @property
    def has_age_range(self) -> bool:
        """Whether there is a condition on the age."""
        return self.age_min is not None or self.age_max is not None

    @property
    def is_set(self) -> bool:
        """Whether there is any condition."""
        return self.has_age_range or bool(self.columns) or any(self.codes(name) for name in FACETED)

    def by_column(self) -> dict[str, list[str]]:
        """Chosen values of further columns by name."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for entry in self.columns:
            name, _, value = entry.partition(COLUMN_MARK)
            found[name].append(value)
        return dict(found)

    def _any_of(self, control: str, field: str, values: Sequence[str]) -> Condition:
        if control in self.excluded:
            return Not(of=AnyOf(field=field, values=tuple(values), keep_unknown=not self.keep_unknown))
        return AnyOf(field=field, values=tuple(values), keep_unknown=self.keep_unknown)
