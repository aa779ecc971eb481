"""What holds for the whole collection at one revision: its values, their counts, its ages, its size."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from casekin.contracts.search import FACETED, Filters
from casekin.errors import BadInput
from services.search.conditions import conditions
from services.search.index import CaseIndex, Condition

_KEPT_COUNTS = 512


@dataclass
class Census:
    """Counted once a revision and kept; the costly counts only when they are asked for."""

    index: CaseIndex
    revision: str
    _passing: OrderedDict[tuple[Condition, ...], int] = field(default_factory=OrderedDict)

    @cached_property
    def values(self) -> Mapping[str, dict[str, int]]:
        """By faceted field: how many cases have each value."""
        return {name: self.index.facet(name) for name in FACETED}

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

    def checked(self, filters: Filters, vocabulary: Mapping[str, set[str]]) -> tuple[Condition, ...]:
        """The conditions of `filters`; raises `BadInput` for a value neither in the collection nor its vocabulary."""
        for name in FACETED:
            for value in getattr(filters, name):
                if value not in self.values[name] and value not in vocabulary.get(name, ()):
                    known = sorted({*self.values[name], *vocabulary.get(name, ())})
                    raise BadInput(
                        f"{name}: the collection has no {value!r}; it has {', '.join(known[:50]) or 'none yet'}"
                        + (f" and {len(known) - 50} more" if len(known) > 50 else "")
                    )
        return conditions(filters)


class CensusTaker:
    """Gives the census of the revision that the index has now."""

    def __init__(self, index: CaseIndex) -> None:
        self._index = index
        self._latest = Census(index, index.revision())

    def now(self) -> Census:
        """That of the current revision; made anew when cases have changed."""
        revision = self._index.revision()
        census = self._latest
        if census.revision != revision:
            census = self._latest = Census(self._index, revision)
        return census
