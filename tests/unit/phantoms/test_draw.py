"""Pictures follow their factors."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from casekin.phantoms import SCALES, Factors, draw, within_range

PLAIN = within_range(
    {name: scale.low for name, scale in SCALES.items()}
    | {"diameter": 7, "border_sharpness": 0.9, "darkness": 0.5, "warmth": 0.5, "skin_tone": 0.2, "exposure": 0}
    | {"shift_x": 0, "shift_y": 0, "tint": 0}
)


def pixels(factors: Factors, lesion_seed: int = 1, view_seed: int = 1) -> NDArray[np.float64]:
    picture = draw(factors, lesion_seed=lesion_seed, view_seed=view_seed, size=(300, 225))
    return np.asarray(picture, dtype=float) / 255


def lesion_area_mm2(image: NDArray[np.float64]) -> float:
    """Of the pixels nearer to the darkest of the centre than to the skin of the corners."""
    luma = image.mean(axis=2)
    middle = (np.median(luma[100:125, 140:160]) + np.median(luma[:30, :30])) / 2
    return float((luma < middle).sum()) * (20 / 300) ** 2


def middle(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return image[95:130, 130:170].mean(axis=(0, 1))


def test_draw__same_arguments_same_picture_and_seeds_matter() -> None:
    factors = replace(PLAIN, hair=8, globules=10, border_irregularity=0.5, asymmetry=0.5)
    assert np.array_equal(pixels(factors), pixels(factors))
    assert not np.array_equal(pixels(factors), pixels(factors, lesion_seed=2))
    assert not np.array_equal(pixels(factors), pixels(factors, view_seed=2))


@pytest.mark.parametrize("diameter", [3.0, 5.0, 8.0])
def test_draw__diameter_is_that_of_a_disc_of_the_same_area(diameter: float) -> None:
    areas = [lesion_area_mm2(pixels(replace(PLAIN, diameter=diameter), lesion_seed=seed)) for seed in range(6)]
    assert 2 * np.sqrt(np.mean(areas) / np.pi) == pytest.approx(diameter, rel=0.08)


def test_draw__elongation_stretches_at_equal_area() -> None:
    def extent(factors: Factors) -> tuple[float, float]:
        image = pixels(factors).mean(axis=2)
        dark = image < (image[100:125, 140:160].mean() + image[:30, :30].mean()) / 2
        rows, columns = np.nonzero(dark)
        return float(columns.std() / rows.std()), float(dark.sum())

    round_ratio, round_area = extent(PLAIN)
    long_ratio, long_area = extent(replace(PLAIN, elongation=2.0))
    assert round_ratio == pytest.approx(1, abs=0.12)
    assert long_ratio == pytest.approx(2, abs=0.3)
    assert long_area == pytest.approx(round_area, rel=0.12)


def test_draw__darkness_darkens_the_lesion_and_not_the_skin() -> None:
    images = [pixels(replace(PLAIN, darkness=value)) for value in (0.1, 0.4, 0.7, 1.0)]
    luma = [float(middle(image).mean()) for image in images]
    assert luma == sorted(luma, reverse=True)
    assert luma[0] - luma[-1] > 0.25
    assert np.ptp([image[:30, :30].mean() for image in images]) < 0.01


def test_draw__warmth_and_redness_turn_the_hue() -> None:
    grey, warm = (middle(pixels(replace(PLAIN, warmth=value))) for value in (0.0, 1.0))
    assert warm[0] - warm[2] > grey[0] - grey[2] + 0.05
    red = middle(pixels(replace(PLAIN, darkness=0.0, redness=1.0)))
    assert (
        red[0] / red[1]
        > 1.5 * middle(pixels(replace(PLAIN, darkness=0.0)))[0] / middle(pixels(replace(PLAIN, darkness=0.0)))[1]
    )


def test_draw__skin_tone_and_exposure() -> None:
    tones = [pixels(replace(PLAIN, skin_tone=value))[:30, :30].mean() for value in (0.0, 0.5, 1.0)]
    assert tones == sorted(tones, reverse=True)
    dim, bright = (pixels(replace(PLAIN, exposure=value, skin_tone=0.6))[:30, :30].mean() for value in (-0.5, 0.3))
    assert bright / dim == pytest.approx(2**0.8, rel=0.1)


def test_draw__border_sharpness_steepens_the_edge() -> None:
    def steepest(value: float) -> float:
        row = pixels(replace(PLAIN, border_sharpness=value, diameter=9))[105:120].mean(axis=(0, 2))
        return float(np.abs(np.diff(row)).max())

    assert steepest(0.95) > 2 * steepest(0.1)


@pytest.mark.parametrize(
    ("factor", "value", "where"),
    [
        ("network", 1.0, "lesion"),
        ("globules", 60, "lesion"),
        ("variegation", 1.0, "lesion"),
        ("colours", 6, "lesion"),
        ("veil", 1.0, "lesion"),
        ("regression", 1.0, "lesion"),
        ("vessels", 8, "lesion"),
        ("lacunae", 12, "lesion"),
        ("scale", 1.0, "lesion"),
        ("cysts", 25, "lesion"),
        ("asymmetry", 1.0, "lesion"),
        ("border_irregularity", 1.0, "lesion"),
        ("rotation", 120.0, "lesion"),
        ("shift_x", 0.1, "lesion"),
        ("ridges", 1.0, "skin"),
        ("follicles", 200, "skin"),
        ("skin_redness", 1.0, "skin"),
        ("hair", 40, "skin"),
        ("vignette", 1.0, "skin"),
        ("light_gradient", 0.5, "skin"),
        ("tint", 1.0, "skin"),
    ],
)
def test_draw__every_factor_shows_where_it_belongs(factor: str, value: float, where: str) -> None:
    base = replace(PLAIN, elongation=1.3)
    change = np.abs(pixels(within_range(base.__dict__ | {factor: value})) - pixels(base)).mean(axis=2)
    part = change[70:155, 95:205] if where == "lesion" else np.concatenate([change[:40], change[-40:]])
    assert np.quantile(part, 0.99) > 0.015
    if where == "lesion":
        assert change[:20, :20].mean() < 1e-4


def test_draw__vignette_blackens_the_corners() -> None:
    assert pixels(replace(PLAIN, vignette=1.0))[:12, :12].mean() < 0.05


def test_draw__stays_within_its_frame_at_every_extreme() -> None:
    for end in ("low", "high"):
        factors = within_range({name: getattr(scale, end) for name, scale in SCALES.items()})
        image = pixels(factors)
        assert image.shape == (225, 300, 3)
        assert image.std() > 0.01
