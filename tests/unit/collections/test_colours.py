"""Colours of diagnoses: distinct, readable, and a collection's own where it brings some."""

from itertools import combinations

import pytest

from casekin.collections import built_in_names, built_in_spec
from casekin.collections.colours import contrast_on_white, distance, with_distinct_colours
from casekin.contracts.collection import Diagnosis


def plain(count: int) -> list[Diagnosis]:
    return [Diagnosis(code=str(number), name="x") for number in range(count)]


def colours(diagnoses: list[Diagnosis]) -> list[str]:
    return [entry.colour or "" for entry in with_distinct_colours(diagnoses)]


@pytest.mark.parametrize(("count", "apart"), [(1, 9.0), (12, 0.07), (40, 0.03), (100, 0.012)])
def test_colours__lie_apart_for_every_reader(count: int, apart: float) -> None:
    made = colours(plain(count))
    assert len(set(made)) == count
    assert min((distance(one, other) for one, other in combinations(made, 2)), default=9.0) >= apart
    assert min(map(contrast_on_white, made)) >= 3


@pytest.mark.parametrize("name", built_in_names())
def test_colours__a_collections_own_stay(name: str) -> None:
    described = built_in_spec(name).diagnoses
    for before, after in zip(described, with_distinct_colours(described), strict=True):
        assert after.colour == before.colour if before.colour else after.colour


def test_colours__one_that_an_earlier_entry_has_is_changed() -> None:
    nv, mel = (Diagnosis(code=code, name=code, colour="#d55e00") for code in ("nv", "mel"))
    made = colours([nv, mel])
    assert made[0] == "#d55e00"
    assert distance(*made) > 0.1


def test_contrast__as_wcag_defines_it() -> None:
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#ffffff") == pytest.approx(1)
    assert contrast_on_white("#767676") == pytest.approx(4.54, abs=0.005)  # the lightest grey that passes AA


def test_distance__in_oklab() -> None:
    assert distance("#000000", "#ffffff") == pytest.approx(1, abs=1e-3)
    assert distance("#ff0000", "#ff0000") == 0
    red_green = distance("#c00000", "#6b6b00")
    assert red_green < 0.15, "one that a red-green deficiency hardly tells"
