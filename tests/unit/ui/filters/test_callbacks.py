"""Filters: counts and the span of ages from a real search, and what a chip takes away."""

import pytest
from dash import no_update

from casekin.contracts.cases import FACETED
from services.ui.app import create_app
from services.ui.filters.callbacks import without_condition
from services.ui.session.filter_state import FilterState
from services.ui.session.search_request import Steering
from tests.unit.ui.conftest import (
    CASES,
    NOWHERE,
    Behind,
    Browser,
    collection,
    matched,
    over_asgi,
    query,
    steering,
    text_of,
)

STEERING = Steering(filters=FilterState(diagnosis=["mel", "nv"], sex=["male"], columns=["lens\tD3"], age_min=30))
SPAN = [0, 85]


def test_removed__a_chip_takes_its_value_only() -> None:
    after = without_condition(STEERING, {"type": "chip", "field": "diagnosis", "value": "mel"}, SPAN)
    values = dict(zip(FACETED, after.values, strict=True))
    assert values.pop("diagnosis") == ["nv"]
    assert all(value is no_update for value in values.values())
    assert after.age is after.columns is no_update


def test_removed__a_chip_of_a_further_column() -> None:
    after = without_condition(STEERING, {"type": "chip", "field": "columns", "value": "lens\tD3"}, SPAN)
    assert after.columns == []
    assert all(value is no_update for value in after.values)


def test_removed__the_age_chip_opens_the_whole_span() -> None:
    after = without_condition(STEERING, {"type": "chip", "field": "age", "value": ""}, SPAN)
    assert after.age == SPAN
    assert all(value is no_update for value in after.values)


@pytest.mark.parametrize("where", ["panel", "chips", "empty"])
def test_removed__clear_all_takes_everything(where: str) -> None:
    assert without_condition(STEERING, {"type": "clear", "where": where}, SPAN).by_name() == {
        "values": [[]] * len(FACETED),
        "columns": [],
        "age": SPAN,
    }


COUNTS = "filter-diagnosis.children"


async def test_age_slider__spans_all_ages_of_the_collection(browser: Browser) -> None:
    """Its steps are five years: the oldest is 89 and must not be cut off at 85."""
    answer = await browser.call(COUNTS, "collection", filter_age=None, steering=steering(), **await collection(browser))
    assert (answer["filter-age"]["min"], answer["filter-age"]["max"]) == (20, 90)
    assert answer["filter-age"]["value"] == [20, 90]


async def test_age__both_ends_reach_the_search(browser: Browser) -> None:
    asked = {"query": await query(browser), **await collection(browser)}
    for bounds in ({"age_min": 50}, {"age_max": 50}, {"age_min": 40, "age_max": 60}):
        answer = await browser.call("results.data", "steering", **asked, steering=steering(**bounds))
        ages = [case["age"] for case in matched(answer)]
        assert ages
        assert all(bounds.get("age_min", 0) <= age <= bounds.get("age_max", 130) for age in ages)


async def test_counts__unknown_ages_are_kept_where_the_switch_says_so(browser: Browser) -> None:
    known = await collection(browser)
    unknown = len(range(0, CASES, 5))
    for keep, more in ((False, 0), (True, unknown)):
        panel = steering(age_min=80, keep_unknown=keep)
        answer = await browser.call(COUNTS, "steering", steering=panel, **known)
        old = sum(20 + 3 * number >= 80 for number in range(CASES) if number % 5)
        assert text_of(answer["passing"]["children"]) == f"{old + more} cases"


async def test_chip__takes_its_condition_away(browser: Browser) -> None:
    chip = {"type": "chip", "field": "sex", "value": "male"}
    answer = await browser.call("filter-sex.value", chip, steering=steering(sex=["male", "female"], diagnosis=["mel"]))
    assert answer["filter-sex"]["value"] == ["female"]
    assert "filter-diagnosis" not in answer


async def test_counts__that_fail_leave_every_filter_usable(browser: Browser, behind: Behind) -> None:
    known = await collection(browser)
    info = {**known["collection"]["info"], "labels": {"sex": {"female": "Women", "male": "Men"}}}
    values = {"steering": steering(site=["back"]), "collection": {**known["collection"], "info": info}}
    async with over_asgi(create_app(behind.settings(search_url=NOWHERE))) as client:
        answer = await Browser(client).call(COUNTS, "steering", **values)
        again = await Browser(client).call(COUNTS, "steering", **values, filter_diagnosis=["drawn before"])
    box = answer["facets-error"]["children"]
    assert "Try again" in text_of(box)
    offered = {field: text_of(answer[f"filter-{field}"]["children"]) for field in ("diagnosis", "sex", "site")}
    labels = [box["props"]["value"] for box in answer["filter-diagnosis"]["children"]]
    assert labels == ["nv", "mel"], "what the collection explains"
    assert [box["props"]["value"] for box in answer["filter-sex"]["children"]] == ["male", "female"]
    assert [box["props"]["value"] for box in answer["filter-site"]["children"]] == ["back"], "what is chosen"
    assert all(text == "" for text in offered.values()), "no counts are made up"
    assert answer["passing"]["children"] == "not counted"
    assert "filter-diagnosis" not in again, "what is shown stays"


async def test_counts__are_repeated_by_their_own_button_only(browser: Browser) -> None:
    values = {"steering": steering(), **await collection(browser)}
    assert await browser.call(COUNTS, {"type": "retry", "what": "search"}, **values) == {}
    assert (await browser.call(COUNTS, {"type": "retry", "what": "facets"}, **values))["passing"][
        "children"
    ] == "24 cases"


async def test_search__is_not_repeated_by_the_button_of_the_counts(browser: Browser) -> None:
    values = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    assert await browser.call("results.data", {"type": "retry", "what": "facets"}, **values) == {}
    assert matched(await browser.call("results.data", {"type": "retry", "what": "search"}, **values))
