"""What holds for the whole collection at one revision: its values, their counts, its ages, its size."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from casekin.contracts.base import excerpt, is_code
from casekin.contracts.conditions import AnyOf, Condition, leaves
from casekin.contracts.search import FACETED
from casekin.errors import BadInput
from services.search.vector_store.port import CaseIndex, IndexView

_KEPT_COUNTS = 512
LISTED_VALUES = 50
"""Of a further column, for it may have as many as there are cases."""


@dataclass
class Census:
    """Counted once a revision and kept; the costly counts only when they are asked for."""

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
        """Those that are counted by value."""
        return (*FACETED, *self.index.columns())

    def values(self, name: str) -> dict[str, int]:
        """How many cases have each value of a field of `fields`; of a further column the most frequent alone."""
        if name not in self._values:
            self._values[name] = countable(self.index.facet(name, most=most_listed(name)))
        return self._values[name]

    @cached_property
    def cases(self) -> int:
        """How many cases there are."""
        return self.index.count()

    @cached_property
    def lesions(self) -> int:
        """How many lesions they show; a case whose lesion is unknown stands for one."""
        sizes = self.index.facet("lesion_id")
        return len(sizes) + self.cases - sum(sizes.values())

    @cached_property
    def ages(self) -> tuple[float, float] | None:
        """Least and greatest known age in years."""
        return self.index.age_range()

    def passing(self, asked: tuple[Condition, ...]) -> int:
        """How many cases fulfil the conditions: the same filter serves many searches, so the last counts are kept."""
        if not asked:
            return self.cases
        if (count := self._passing.get(asked)) is None:
            count = self._passing[asked] = self.index.count(asked)
            if len(self._passing) > _KEPT_COUNTS:
                self._passing.popitem(last=False)
        return count

    def unknown(self, name: str, asked: tuple[Condition, ...]) -> int:
        """How many cases that fulfil the conditions have no value of a field."""
        return self.passing((*asked, AnyOf(field=name, keep_unknown=True)))

    def check(self, conditions: Sequence[Condition], read_vocabulary: Callable[[], Mapping[str, set[str]]]) -> None:
        """Raise `BadInput` for a field that no case has, or a value neither in the collection nor its vocabulary."""
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
            known = ", ".join((*self.fields, "lesion_id", "age"))
            raise BadInput(f"cases cannot be filtered by {name!r}; they can by {known}")

    def _check_value(self, name: str, value: str, named: set[str]) -> None:
        if value in named or (name in self.fields and value in self.values(name)):
            return
        if name not in FACETED and self.passing((AnyOf(field=name, values=(value,)),)):
            return
        known = sorted({*(self.values(name) if name in self.fields else ()), *named})
        more = f" and {len(known) - 50} more" if len(known) > 50 else ""
        listed = f"; it has {', '.join(known[:50]) or 'none yet'}{more}" if name in self.fields else ""
        raise BadInput(f"{name}: the collection has no {excerpt(value)}{listed}")


def countable(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts without values that are no `Code`, such as long texts: no filter could name them."""
    return {value: count for value, count in counts.items() if is_code(value)}


def most_listed(name: str) -> int | None:
    """How many values of a field are counted at most."""
    return None if name in FACETED else LISTED_VALUES


class CensusTaker:
    """Gives the census of the revision that the index has now."""

    def __init__(self, index: CaseIndex) -> None:
        self._index = index
        self._latest = Census(index, index.view())

    def now(self) -> Census:
        """That of the current revision; made anew when cases have changed."""
        view = self._index.view()
        census = self._latest
        if census.revision != view.revision:
            census = self._latest = Census(self._index, view)
        return census
