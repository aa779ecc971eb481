import numpy as np
import pytest

from training.data.sprites import GRID, RADIUS, Sprites


def _at(*levels: int) -> np.ndarray:
    return np.array([np.ravel_multi_index(levels, GRID)])


@pytest.fixture(scope="module", params=[32, 64])
def sprites(request: pytest.FixtureRequest) -> Sprites:
    return Sprites(request.param)


def test_sprites__are_the_whole_grid_of_dsprites(sprites: Sprites) -> None:
    assert len(sprites) == 3 * 6 * 40 * 32 * 32 == 737_280
    truth = sprites.truth(np.array([0, len(sprites) - 1]))
    assert [factor.name for factor in truth.factors] == ["shape", "scale", "orientation", "position x", "position y"]
    assert truth.values.tolist() == [[0, 0, 0, 0, 0], [2, 5, 39, 31, 31]]


def test_sprites__lie_where_their_position_says(sprites: Sprites) -> None:
    size = sprites.shape[0]
    for x, y in ((0, 0), (31, 0), (13, 22), (31, 31)):
        picture = sprites.batch(_at(1, 4, 7, x, y))[0, ..., 0].astype(float)
        rows, columns = np.mgrid[:size, :size] + 0.5
        centre = (picture * columns).sum() / picture.sum(), (picture * rows).sum() / picture.sum()
        expected = [size / 4 + (place + 0.5) * size / 64 for place in (x, y)]
        np.testing.assert_allclose(centre, expected, atol=0.02)


def test_sprites__have_the_area_of_their_formula(sprites: Sprites) -> None:
    radius = RADIUS * sprites.shape[0]
    for shape, area in ((0, 2.0), (1, np.pi * 0.6)):
        for scale in (0, 5):
            unit = radius * (0.5 + 0.1 * scale)
            picture = sprites.batch(_at(shape, scale, 11, 9, 20))[0].astype(float) / 255
            assert picture.sum() == pytest.approx(area * unit**2, rel=0.02)


def test_sprites__are_never_cut_off(sprites: Sprites) -> None:
    def areas(x: int, y: int) -> np.ndarray:
        return sprites.batch(np.concatenate([_at(s, 5, t, x, y) for s in range(3) for t in range(40)])).sum((1, 2, 3))

    for x, y in ((0, 0), (31, 0), (0, 31), (31, 31)):
        np.testing.assert_allclose(areas(x, y), areas(x % 2, y % 2 + 14), rtol=0.02)


def test_sprites__are_all_different_but_for_the_symmetries_of_their_shapes(sprites: Sprites) -> None:
    for shape, symmetry in ((0, 4), (1, 2), (2, 1)):
        turned = np.concatenate([_at(shape, 3, turn, 16, 16) for turn in range(40)])
        assert len({picture.tobytes() for picture in sprites.batch(turned)}) == pytest.approx(40 / symmetry, abs=1)


def test_sprites__are_the_same_each_time(sprites: Sprites) -> None:
    some = np.arange(0, len(sprites), 9973)
    np.testing.assert_array_equal(sprites.batch(some), Sprites(sprites.shape[0]).batch(some))


def test_sprites__refuse_a_size_off_the_grid() -> None:
    with pytest.raises(ValueError, match="size is 48"):
        Sprites(48)
