"""Lesions drawn so that the right answer is known."""

import numpy as np
import pytest

from training.latent_space.lesion_measures import MEASURES, blueness, dots, measure, shape_of

SKIN, BROWN = (225, 180, 165), (130, 90, 70)
ROWS, COLUMNS = np.mgrid[:144, :192]


def ellipse(
    longer: float = 40, shorter: float = 40, turned: float = 0.0, centre: tuple[float, float] = (72, 96)
) -> np.ndarray:
    y, x = ROWS - centre[0], COLUMNS - centre[1]
    u, v = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    return (u / longer) ** 2 + (v / shorter) ** 2 <= 1


def painted(inside: np.ndarray, colour: tuple[int, int, int] = BROWN) -> np.ndarray:
    return np.where(inside[..., None], colour, SKIN).astype(np.uint8)


def measured(pixels: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    return dict(zip(MEASURES, measure(pixels, inside), strict=True))


def shape(inside: np.ndarray, pixels: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    return shape_of((painted(inside) if pixels is None else pixels) / 255, inside)


@pytest.mark.parametrize("turned", [0.0, 0.5, 1.2])
@pytest.mark.parametrize(("longer", "shorter"), [(40, 40), (60, 30)])
def test_shape__of_an_ellipse_is_symmetric_and_regular_however_turned(
    longer: float, shorter: float, turned: float
) -> None:
    found = shape(ellipse(longer, shorter, turned))
    assert found.asymmetry < 0.03
    assert found.irregularity < 0.03
    assert found.elongation == pytest.approx(longer / shorter, rel=0.03)
    assert found.size == pytest.approx(np.sqrt(np.pi * longer * shorter / (144 * 192)), rel=0.01)


def test_shape__of_an_ellipse_with_a_lobe_is_asymmetric() -> None:
    lobed = ellipse(40, 30) | ellipse(16, 16, centre=(44, 128))
    assert shape(lobed).asymmetry > 0.06
    assert shape(ellipse(40, 30)).asymmetry < 0.03


def test_shape__of_a_notched_star_is_irregular_though_symmetric() -> None:
    angle = np.arctan2(ROWS - 72, COLUMNS - 96)
    star = np.hypot(ROWS - 72, COLUMNS - 96) <= 40 * (1 + 0.3 * np.cos(8 * angle))
    found = shape(star)
    assert found.irregularity > 0.15
    assert found.asymmetry < 0.05


def test_shape__knows_where_the_lesion_lies() -> None:
    found = shape(ellipse(20, 20, centre=(36, 144)))
    assert (found.across, found.down) == (pytest.approx(0.75, abs=0.01), pytest.approx(0.25, abs=0.01))


def test_shape__of_two_tones_is_asymmetric_in_colour_only_where_tones_lie_side_by_side() -> None:
    lesion, core = ellipse(50, 35), ellipse(25, 17)
    ringed, halved = painted(lesion), painted(lesion)
    ringed[core] = halved[lesion & (COLUMNS < 96)] = (60, 40, 40)
    assert shape(lesion, ringed).colour_asymmetry < 0.01
    assert shape(lesion, halved).colour_asymmetry > 0.05


def test_measure__follows_colours_of_the_lesion() -> None:
    lesion = ellipse()
    brown, red, black = (measured(painted(lesion, colour), lesion) for colour in (BROWN, (190, 60, 60), (40, 35, 35)))
    assert red["Redness"] > brown["Redness"]
    assert black["Lesion darkness"] > brown["Lesion darkness"]
    assert black["Border contrast"] > brown["Border contrast"]
    assert red["Lesion saturation"] > black["Lesion saturation"]
    assert brown["Skin darkness"] == pytest.approx(black["Skin darkness"])


def test_measure__finds_variety_in_a_lesion_of_several_colours() -> None:
    lesion = ellipse()
    spotted = painted(lesion)
    spotted[ellipse(12, 12, centre=(60, 80))] = (60, 40, 40)
    spotted[ellipse(12, 12, centre=(80, 110))] = (190, 60, 60)
    assert measured(spotted, lesion)["Colour variety"] > 0.05
    assert measured(painted(lesion), lesion)["Colour variety"] < 0.001


def test_blueness__is_that_of_a_veil_or_a_white_area_whatever_the_light() -> None:
    lesion, part = ellipse(), ellipse(18, 18)
    values = []
    for colour in (BROWN, (235, 235, 240), (90, 110, 160)):
        pixels = painted(lesion)
        pixels[part] = colour
        values.append(blueness(pixels / 255, lesion))
        assert blueness(pixels / 255 * 0.7, lesion) == pytest.approx(values[-1])
    assert values[0] < values[1] < values[2]


def test_dots__count_dots_and_neither_lines_nor_the_other_kind() -> None:
    lesion = ellipse()
    drawn: dict[str, np.ndarray] = {}
    for kind, grid in (("dots", (ROWS % 12 < 3) & (COLUMNS % 12 < 3)), ("lines", COLUMNS % 12 < 3)):
        drawn[kind] = np.where(grid & lesion, 0.2, 0.5)
    dark, light = dots(drawn["dots"], lesion)
    assert dark > 4 * max(light, dots(drawn["lines"], lesion)[0])
    assert dots(1 - drawn["dots"], lesion) == pytest.approx((light, dark), rel=1e-3)
    assert dots(np.where(lesion, 0.5, 0.8), ellipse(30, 30)) == pytest.approx((0, 0), abs=0.01)


def test_measure__does_not_depend_on_the_number_of_pixels() -> None:
    """Shape and colour of one lesion at two sizes; texture and dots lose detail, as an image does."""
    lesion = ellipse(50, 30, 0.4)
    pixels = painted(lesion)
    large = measured(np.kron(pixels, np.ones((2, 2, 1), np.uint8)), np.kron(lesion, np.ones((2, 2))) > 0)
    small = measured(pixels, lesion)
    for name in set(MEASURES) - {"Texture", "Dark dots", "Light dots", "Asymmetry", "Irregular border"}:
        assert large[name] == pytest.approx(small[name], abs=0.01), name
