import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from training.evaluation.robustness import DISTURBANCES

Pixels = npt.NDArray[np.uint8]
BY_NAME = {disturbance.name: disturbance for disturbance in DISTURBANCES}


def _disturbed(name: str, pixels: Pixels, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.asarray(BY_NAME[name].apply(Image.fromarray(pixels), np.random.default_rng(seed)), np.float64)


def _detail(pixels: npt.NDArray[np.generic]) -> float:
    return float(np.abs(np.diff(pixels.astype(float), axis=1)).mean())


@pytest.mark.parametrize("name", list(BY_NAME))
def test_each_disturbance__changes_the_image_and_keeps_size_and_original(name: str, pictures: Pixels) -> None:
    given = Image.fromarray(pictures[0])
    result = BY_NAME[name].apply(given, np.random.default_rng(0))
    assert (result.size, result.mode) == (given.size, "RGB")
    assert np.array_equal(np.asarray(given), pictures[0])
    assert np.abs(np.asarray(result, float) - pictures[0]).mean() > 0.2


def test_compression__loses_more_at_lower_quality(pictures: Pixels) -> None:
    lost = [np.square(_disturbed(f"JPEG quality {q}", pictures[1]) - pictures[1]).mean() for q in (90, 50, 20)]
    assert lost[0] < lost[1] < lost[2]


def test_blur_and_coarser_pixels__take_detail(pictures: Pixels) -> None:
    slight, strong = (
        _detail(_disturbed(name, pictures[2])) for name in BY_NAME if name.endswith("blur") or "blur (" in name
    )
    assert strong < slight < _detail(pictures[2])
    assert _detail(_disturbed("a third of the resolution", pictures[2])) < _detail(pictures[2])


def test_light__scales_each_channel() -> None:
    grey = np.full((40, 60, 3), 120, np.uint8)
    np.testing.assert_array_equal(_disturbed("a quarter darker", grey)[0, 0], [90, 90, 90])
    np.testing.assert_array_equal(_disturbed("a fifth brighter", grey)[0, 0], [144, 144, 144])
    red, green, blue = _disturbed("orange tint", grey)[0, 0]
    assert red > green > blue
    red, green, blue = _disturbed("violet tint", grey)[0, 0]
    assert blue > red
    np.testing.assert_array_equal(_disturbed("a fifth brighter", np.full((2, 2, 3), 250, np.uint8)), 255)


def test_hair__is_dark_thin_and_drawn_by_the_generator(pictures: Pixels) -> None:
    bright = np.full((90, 120, 3), 220, np.uint8)
    drawn = _disturbed("15 hairs drawn in", bright)
    touched = (drawn < 200).any(2).mean()
    assert 0.01 < touched < 0.35
    np.testing.assert_array_equal(drawn, _disturbed("15 hairs drawn in", bright))
    assert not np.array_equal(drawn, _disturbed("15 hairs drawn in", bright, seed=1))
