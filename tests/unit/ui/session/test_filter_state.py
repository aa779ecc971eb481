"""What the filter panel stands for."""

from casekin.contracts.conditions import AnyOf, Between, Not, Or
from services.ui.session.filter_state import FilterState

SITE = AnyOf(field="site", values=("back",))


def test_filters__of_an_untouched_panel_are_none() -> None:
    assert FilterState(keep_unknown=True, any_field=True, excluded=["site"]).filters() == ()
    assert not FilterState(keep_unknown=True).is_set


def test_filters__fields_are_joined_by_and_or_by_or() -> None:
    chosen = {"site": ["back"], "age_max": 40, "columns": ["lens\tD3", "lens\tD5"]}
    parts = (SITE, AnyOf(field="attributes.lens", values=("D3", "D5")), Between(high=40))
    assert FilterState.model_validate(chosen).filters() == parts
    assert FilterState.model_validate({**chosen, "any_field": True}).filters() == (Or(of=parts),)
    assert FilterState(site=["back"], any_field=True).filters() == (SITE,)


def test_filters__values_of_a_further_column_can_be_left_out() -> None:
    [condition] = FilterState(columns=["lens\tD3"], excluded=["columns"], keep_unknown=True).filters()
    assert condition == Not(of=AnyOf(field="attributes.lens", values=("D3",)))


def test_filters__left_out_values_obey_the_switch_for_unknown_ones() -> None:
    [kept] = FilterState(site=["back"], excluded=["site"], keep_unknown=True).filters()
    [dropped] = FilterState(site=["back"], excluded=["site"]).filters()
    assert kept == Not(of=SITE), "an unknown site is not the back"
    assert dropped == Not(of=AnyOf(field="site", values=("back",), keep_unknown=True))
