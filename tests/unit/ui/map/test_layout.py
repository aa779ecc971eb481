"""What the page says of the map that is shown, and of how honest the place of an image on it is."""

import pytest

from casekin.contracts.maps import PlacingError
from services.ui.map.layout import map_note
from services.ui.session.service_cache import PlacedMap
from tests.unit.ui.conftest import sent, text_of
from tests.unit.ui.map.test_figure import placed, placement


def noted(shown: PlacedMap, *, revision: str | None = None, error: PlacingError | None = None) -> str:
    here = placement().model_copy(update={"error": error, "spread": 0.07})
    return text_of(sent(map_note(shown, revision or shown.document.version.revision, here)))


@pytest.mark.parametrize(("p90", "rough"), [(0.04, False), (0.3, True)])
def test_note__says_how_far_off_such_places_were(p90: float, rough: bool) -> None:
    told = noted(placed(), error=PlacingError(spread=0.1, median=0.02, p90=p90))
    assert (
        f"such cases were off by 2 % of the map's width at median, nine in ten by less than {p90 * 100:.0f} %." in told
    )
    assert ("a rough place" in told) is rough


def test_note__of_a_map_too_small_to_tell_says_how_far_its_neighbours_lie() -> None:
    assert "which lie 7 % of the map's width around it" in noted(placed())


def test_note__says_what_the_map_lacks_and_what_it_was_told() -> None:
    shown = placed()
    assert "newer cases are missing" in noted(shown, revision="another")
    assert "newer cases are missing" not in noted(shown)
    assert "more than what the images" not in noted(shown)
    recipe = shown.document.version.recipe.model_copy(update={"supervised": True})
    version = shown.document.version.model_copy(update={"recipe": recipe})
    by_diagnosis = PlacedMap(shown.document.model_copy(update={"version": version}))
    assert "it shows more than what the images alone tell" in noted(by_diagnosis)
