"""Placing from neighbours' coordinates, against cases worked out by hand."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casekin.contracts.projector import CaseMap
from casekin.errors import Conflict
from services.projector.artefacts import Artefacts
from services.projector.placing import Atlas, AtlasShelf, place

CORNERS = {"a": (0.0, 0.0), "b": (3.0, 0.0), "c": (0.0, 4.0)}


def case_map(places: dict[str, tuple[float, float]], *, name: str = "m") -> CaseMap:
    return CaseMap(
        id=name,
        bundle_version="tiny-1",
        revision="1",
        preset="visual",
        created=datetime.now(UTC),
        fit_s=0,
        cases=list(places),
        diagnoses=[None] * len(places),
        x=[x for x, _ in places.values()],
        y=[y for _, y in places.values()],
    )


def test_place__weighs_neighbours_by_inverse_distance() -> None:
    placed = place(Atlas(case_map(CORNERS)), ["a", "b"], [1.0, 2.0])
    assert (placed.x, placed.y) == (1.0, 0.0)  # (2 · 0 + 1 · 3) / 3
    assert placed.spread == pytest.approx((1 + 2) / 2 / 5)  # the diagonal of 3 x 4 is 5
    assert placed.neighbours == ["a", "b"]


def test_place__at_distance_0_is_the_neighbours_own_place() -> None:
    atlas = Atlas(case_map(CORNERS))
    assert (place(atlas, ["c", "b"], [0.0, 1e-9]).x, place(atlas, ["c", "b"], [0.0, 1e-9]).y) == (0.0, 4.0)
    both = place(atlas, ["b", "c"], [0.0, 0.0])
    assert (both.x, both.y, both.spread) == (1.5, 2.0, 0.5)


def test_place__on_a_map_without_extent_has_no_spread() -> None:
    assert place(Atlas(case_map({"a": (2.0, 2.0), "b": (2.0, 2.0)})), ["a", "b"], [1.0, 1.0]).spread == 0


@given(st.lists(st.floats(min_value=0, max_value=1e300), min_size=3, max_size=3))
def test_place__stays_among_its_neighbours_whatever_the_distances(distances: list[float]) -> None:
    placed = place(Atlas(case_map(CORNERS)), ["a", "b", "c"], distances)
    assert 0 <= placed.x <= 3
    assert 0 <= placed.y <= 4
    assert 0 <= placed.spread <= 1


def test_shelf__follows_the_current_map(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path, lifetime_s=60)
    shelf = AtlasShelf(artefacts)
    with pytest.raises(Conflict, match="fit the map first"):
        shelf.current()
    for name in ("m1", "m2"):
        fitted = case_map(CORNERS, name=name)
        artefacts.write(name, fitted)
        artefacts.set_current(fitted)
        assert shelf.current().fitted == fitted
    assert shelf.current() is shelf.current()
