"""Facets: each field without the conditions on itself, every value still to be chosen."""

from casekin.contracts.conditions import AnyOf, Between, Condition, Not
from casekin.contracts.facets import FacetValue
from services.search.retrieval.collection_counts import CollectionCounts, CountsCache
from services.search.retrieval.facets import condition_effects, count_facets
from tests.unit.search.retrieval.counted import Counted
from tests.unit.search.retrieval.test_collection_counts import BACK, CASES


def counts() -> CollectionCounts:
    return CountsCache(Counted(CASES).port).current()


def listed(values: list[FacetValue]) -> list[tuple[str | None, int]]:
    return [(one.value, one.count) for one in values]


def test_facets__without_filters_count_all_most_frequent_first_and_unknown_last_of_equals() -> None:
    facets = count_facets(counts(), ())
    assert listed(facets.fields["diagnosis"]) == [("mel", 2), ("nv", 2), (None, 1)]
    assert listed(facets.fields["site"]) == [("back", 2), (None, 2), ("face", 1)]
    assert listed(facets.fields["sex"]) == [(None, 5)]
    assert listed(facets.fields["attributes.lens"]) == [("D3", 2), (None, 2), ("D5", 1)]
    assert (facets.age_min, facets.age_max, facets.age_unknown, facets.passing) == (30, 50, 2, 5)


def test_facets__of_a_field_ignore_conditions_on_it_alone() -> None:
    facets = count_facets(counts(), (BACK,))
    assert listed(facets.fields["site"]) == [("back", 2), (None, 2), ("face", 1)]
    assert listed(facets.fields["diagnosis"]) == [("mel", 1), ("nv", 1)]
    assert (facets.age_unknown, facets.passing) == (1, 2)


def test_facets__list_values_that_no_case_has_under_the_filter() -> None:
    facets = count_facets(counts(), (Between(low=45),))
    assert listed(facets.fields["diagnosis"]) == [("nv", 1), ("mel", 0)]
    assert listed(facets.fields["attributes.lens"]) == [(None, 1), ("D3", 0), ("D5", 0)]
    assert (facets.age_min, facets.age_max, facets.age_unknown, facets.passing) == (30, 50, 2, 1)


def test_facets__without_a_known_age_have_no_bounds() -> None:
    facets = count_facets(CountsCache(Counted(CASES[3:]).port).current(), ())
    assert (facets.age_min, facets.age_max, facets.age_unknown) == (None, None, 2)


def test_effects__say_what_each_condition_excludes_and_what_passes_without_it() -> None:
    nobody = Between(low=100)
    young = Not(of=Between(low=40))
    filters: tuple[Condition, ...] = (BACK, nobody, young)
    effects = condition_effects(counts(), filters)
    assert [effect.condition for effect in effects] == list(filters)
    assert [effect.excludes for effect in effects] == [3, 5, 2]
    assert [effect.passing_without for effect in effects] == [0, 2, 0]
    assert condition_effects(counts(), ()) == []
    alone = condition_effects(counts(), (AnyOf(field="site", values=("face",)),))
    assert [(effect.excludes, effect.passing_without) for effect in alone] == [(4, 5)]
