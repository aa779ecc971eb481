"""Collection-wide counts, cached per revision."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from casekin.contracts.base import excerpt, is_code
from casekin.contracts.cases import FACETED
from casekin.contracts.conditions import AnyOf, Condition, leaves
from casekin.errors import BadInput
from services.search.vector_store.port import CaseIndex, IndexView

LISTED_VALUES = 50
"""Values that are counted of a further column, which may have as many as there are cases; also those of a message."""
_CACHED_COUNTS = 512
"""Filters whose count is kept: the same filter serves many searches."""


@dataclass
class CollectionCounts:
    """Counts at one revision of an index, each computed when it is first needed."""

    index: CaseIndex
    view: IndexView
    _passing: OrderedDict[tuple[Condition, ...], int] = field(default_factory=OrderedDict)
    _values: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """The revision of all counts."""
        return self.view.revision

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Fields that are counted by value."""
        return (*FACETED, *self.index.columns())

    def values(self, name: str) -> dict[str, int]:
        """Number of cases by value of one of `fields`; of a further column the `LISTED_VALUES` most frequent."""
        if name not in self._values:
            self._values[name] = self.values_under((), name)
        return self._values[name]

    def values_under(self, conditions: Sequence[Condition], name: str) -> dict[str, int]:
        """Likewise, of the cases that meet `conditions`; without values that no filter could name, such as texts."""
        most = None if name in FACETED else LISTED_VALUES
        counts = self.index.facet(name, conditions, most)
        return {value: count for value, count in counts.items() if is_code(value)}

    @cached_property
    def cases(self) -> int:
        """Number of cases."""
        return self.index.count()

    @cached_property
    def lesions(self) -> int:
        """Number of lesions; a case whose lesion is unknown counts as one."""
        sizes = self.index.facet("lesion_id")
        return len(sizes) + self.cases - sum(sizes.values())

    @cached_property
    def ages(self) -> tuple[float, float] | None:
        """Least and greatest known age in years; none where no age is known."""
        return self.index.age_range()

    def passing(self, conditions: tuple[Condition, ...]) -> int:
        """Number of cases that meet all `conditions`."""
        if not conditions:
            return self.cases
        if (count := self._passing.get(conditions)) is None:
            count = self._passing[conditions] = self.index.count(conditions)
            if len(self._passing) > _CACHED_COUNTS:
                self._passing.popitem(last=False)
        return count

    def unknown(self, name: str, conditions: tuple[Condition, ...]) -> int:
        """Number of cases that meet `conditions` and have no value of a field."""
        return self.passing((*conditions, AnyOf(field=name, keep_unknown=True)))

    def check(self, conditions: Sequence[Condition], read_vocabulary: Callable[[], Mapping[str, set[str]]]) -> None:
        """Raise `BadInput` for a field that cannot be filtered by, or a value neither in the cases nor the vocabulary.

        `read_vocabulary` gives the codes that the collection names, by field; it is called only for conditions.
        """
        if not conditions:
            return
        vocabulary = read_vocabulary()
        for leaf in leaves(conditions):
            if isinstance(leaf, AnyOf):
                self._check_field(leaf.field)
                for value in leaf.values:
                    self._check_value(leaf.field, value, vocabulary.get(leaf.field, set()))

    def _check_field(self, name: str) -> None:
        if name != "lesion_id" and name not in self.fields:
            fields = ", ".join((*self.fields, "lesion_id", "age"))
            raise BadInput(f"cases cannot be filtered by {excerpt(name)}; they can by {fields}")

    def _check_value(self, name: str, value: str, named: set[str]) -> None:
        counted = self.values(name) if name in self.fields else {}
        if value in named or value in counted:
            return
        if name not in FACETED and self.passing((AnyOf(field=name, values=(value,)),)):
            return  # a rare value of a further column, or a lesion
        listed = f"; it has {_listed({*counted, *named})}" if name in self.fields else ""
        raise BadInput(f"{name}: the collection has no {excerpt(value)}{listed}")


def _listed(values: set[str]) -> str:
    shown = [value if len(value) <= 60 else f"{value[:60]}…" for value in sorted(values)[:LISTED_VALUES]]
    more = f" and {len(values) - len(shown)} more" if len(values) > len(shown) else ""
    return (", ".join(shown) or "none yet") + more


class CountsCache:
    """The counts of the current revision of an index."""

    def __init__(self, index: CaseIndex) -> None:
        self._index = index
        self._latest = CollectionCounts(index, index.view())

    def current(self) -> CollectionCounts:
        """Counts of the current revision; new ones after a change of the cases."""
        view = self._index.view()
        counts = self._latest
        if counts.revision != view.revision:
            counts = self._latest = CollectionCounts(self._index, view)
        return counts
