"""From the filters of a request to conditions that every engine understands."""

from casekin.contracts.search import FACETED, Filters
from services.search.index import AnyOf, Between, Condition

ANY_AGE = Between("age", 0, 130)
"""Every case whose age is known."""


def conditions(filters: Filters, *, without: str | None = None) -> tuple[Condition, ...]:
    """All conditions of `filters`, to be and-ed; that on the field `without` is left out."""
    found: list[Condition] = []
    for field in FACETED:
        values = getattr(filters, field)
        if values and field != without:
            found.append(AnyOf(field, tuple(sorted(set(values))), or_unknown=filters.keep_unknown))
    if (filters.age_min is not None or filters.age_max is not None) and without != "age":
        found.append(Between("age", filters.age_min, filters.age_max, or_unknown=filters.keep_unknown))
    return tuple(found)
