"""Number of cases by value of each field, under filters."""

from casekin.contracts.conditions import Between, Filters, without
from casekin.contracts.facets import Facets, FacetValue
from casekin.contracts.search import ConditionEffect
from services.search.retrieval.collection_counts import CollectionCounts

ANY_AGE = Between(low=0)
"""Met by every case whose age is known."""


def count_facets(counts: CollectionCounts, filters: Filters) -> Facets:
    """Counts of every field; those of a field ignore conditions on that field alone."""
    ages = counts.ages
    others = without(filters, "age")
    return Facets(
        fields={name: _facet(counts, filters, name) for name in counts.fields},
        age_min=ages[0] if ages else None,
        age_max=ages[1] if ages else None,
        age_unknown=counts.passing(others) - counts.passing((*others, ANY_AGE)),
        passing=counts.passing(filters),
    )


def condition_effects(counts: CollectionCounts, filters: Filters) -> list[ConditionEffect]:
    """Number of cases that each of `filters` excludes, and that would pass without it."""
    return [
        ConditionEffect(
            condition=condition,
            excludes=counts.cases - counts.passing((condition,)),
            passing_without=counts.passing((*filters[:place], *filters[place + 1 :])),
        )
        for place, condition in enumerate(filters)
    ]


def _facet(counts: CollectionCounts, filters: Filters, name: str) -> list[FacetValue]:
    """Every value of the collection, also those of no case under the filters: they can still be chosen."""
    others = without(filters, name)
    by_value = counts.values(name)
    if others:
        by_value = dict.fromkeys(by_value, 0) | counts.values_under(others, name)
    values = [FacetValue(value=value, count=count) for value, count in by_value.items()]
    if unknown := counts.unknown(name, others):
        values.append(FacetValue(value=None, count=unknown))
    return sorted(values, key=lambda one: (-one.count, one.value is None, one.value or ""))
