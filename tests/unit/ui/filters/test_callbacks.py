import pytest
from dash import no_update

from casekin.contracts.search import FACETED
from services.ui.filters.callbacks import removed
from services.ui.session.filter_state import Panel
from services.ui.session.state import Steering

STEERING = Steering(filters=Panel(diagnosis=["mel", "nv"], sex=["male"], columns=["lens\tD3"], age_min=30))
SPAN = [0, 85]


def test_removed__a_chip_takes_its_value_only() -> None:
    after = removed(STEERING, {"type": "chip", "field": "diagnosis", "value": "mel"}, SPAN)
    values = dict(zip(FACETED, after["values"], strict=True))
    assert values.pop("diagnosis") == ["nv"]
    assert all(value is no_update for value in values.values())
    assert after["age"] is after["columns"] is no_update


def test_removed__a_chip_of_a_further_column() -> None:
    after = removed(STEERING, {"type": "chip", "field": "columns", "value": "lens\tD3"}, SPAN)
    assert after["columns"] == []
    assert all(value is no_update for value in after["values"])


def test_removed__the_age_chip_opens_the_whole_span() -> None:
    after = removed(STEERING, {"type": "chip", "field": "age", "value": ""}, SPAN)
    assert after["age"] == SPAN
    assert all(value is no_update for value in after["values"])


@pytest.mark.parametrize("where", ["panel", "chips", "empty"])
def test_removed__clear_all_takes_everything(where: str) -> None:
    assert removed(STEERING, {"type": "clear", "where": where}, SPAN) == {
        "values": [[]] * len(FACETED),
        "columns": [],
        "age": SPAN,
    }
