"""What the filter panel holds, and the conditions that it stands for."""

from collections import defaultdict

from pydantic import BaseModel, ConfigDict

from casekin.contracts.conditions import AnyOf, Between, Condition, Filters, Not, Or
from casekin.contracts.search import FACETED

COLUMN_MARK = "\t"
"""Between name and value of a further column, in the values of its control."""


class Panel(BaseModel):
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
    """Controls whose chosen values are left out, not asked for."""
    age_min: float | None = None
    age_max: float | None = None
    keep_unknown: bool = False
    any_field: bool = False
    """One of the fields is enough."""

    def filters(self) -> Filters:
        """The same as conditions."""
        parts = [self._codes(name, name, getattr(self, name)) for name in FACETED if getattr(self, name)]
        parts += [self._codes("columns", f"attributes.{name}", values) for name, values in self.by_column().items()]
        if self.is_aged:
            parts.append(Between(low=self.age_min, high=self.age_max, keep_unknown=self.keep_unknown))
        return (Or(of=tuple(parts)),) if self.any_field and len(parts) > 1 else tuple(parts)

    @property
    def is_aged(self) -> bool:
        """Whether an age is asked for."""
        return self.age_min is not None or self.age_max is not None

    @property
    def is_set(self) -> bool:
        """Whether there is any condition."""
        return self.is_aged or bool(self.columns) or any(getattr(self, name) for name in FACETED)

    def by_column(self) -> dict[str, list[str]]:
        """Chosen values of further columns by name."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for entry in self.columns:
            name, _, value = entry.partition(COLUMN_MARK)
            found[name].append(value)
        return dict(found)

    def _codes(self, control: str, field: str, values: list[str]) -> Condition:
        if control in self.excluded:
            return Not(of=AnyOf(field=field, values=tuple(values), keep_unknown=not self.keep_unknown))
        return AnyOf(field=field, values=tuple(values), keep_unknown=self.keep_unknown)
