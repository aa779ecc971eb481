"""Counts by value under filters."""

from collections.abc import Sequence

from casekin.contracts.conditions import Between, Condition, Filters, without
from casekin.contracts.facets import Facets, FacetValue
from casekin.contracts.search import ConditionEffect
from services.search.retrieval.collection_counts import Census, countable, most_listed
from services.search.vector_store.port import CaseIndex

ANY_AGE = Between(low=0)
"""Every case whose age is known."""


def count_facets(index: CaseIndex, census: Census, filters: Filters) -> Facets:
    """Counts of every field; those of a field ignore conditions on that field alone."""
    ages = census.ages
    others = without(filters, "age")
    return Facets(
        fields={name: _field(index, census, filters, name) for name in census.fields},
        age_min=ages[0] if ages else None,
        age_max=ages[1] if ages else None,
        age_unknown=census.passing(others) - census.passing((*others, ANY_AGE)),
        passing=census.passing(filters),
    )


def effects(census: Census, filters: Filters) -> list[ConditionEffect]:
    """What each of `filters` excludes."""
    return [
        ConditionEffect(
            condition=condition,
            excludes=census.cases - census.passing((condition,)),
            passing_without=census.passing((*filters[:place], *filters[place + 1 :])),
        )
        for place, condition in enumerate(filters)
    ]


def _field(index: CaseIndex, census: Census, filters: Sequence[Condition], name: str) -> list[FacetValue]:
    """Every value of the collection, also those that no case has under the filter: they can still be chosen."""
    others = without(filters, name)
    whole = census.values(name)
    counts = dict.fromkeys(whole, 0) | countable(index.facet(name, others, most_listed(name))) if others else whole
    values = [FacetValue(value=value, count=count) for value, count in counts.items()]
    if unknown := census.unknown(name, others):
        values.append(FacetValue(value=None, count=unknown))
    return sorted(values, key=lambda one: (-one.count, one.value is None, one.value or ""))
