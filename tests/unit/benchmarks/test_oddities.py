"""The odd pictures of the benchmark are what their names say."""

import numpy as np
import pytest

from benchmarks.oddities import Pixels, oddities

COUNT, HEIGHT, WIDTH = 8, 48, 64


@pytest.fixture(scope="module")
def lesions() -> Pixels:
    """Skin with a dark spot of another red each."""
    pictures = np.full((3, HEIGHT, WIDTH, 3), (220, 170, 150), np.uint8)
    for number, picture in enumerate(pictures):
        picture[16:32, 20:40] = (90 + 10 * number, 50, 40)
    return pictures


@pytest.fixture(scope="module")
def made(lesions: Pixels) -> dict[str, Pixels]:
    return oddities(lesions, COUNT, seed=1)


def test_oddities__every_kind_has_as_many_as_asked_and_none_is_blank(made: dict[str, Pixels]) -> None:
    kinds = {"noise", "text", "photographs", "faces", "other_medicine", "recoloured_lesions", "recoloured_phantoms"}
    assert set(made) == kinds
    for pictures in made.values():
        assert (pictures.shape, pictures.dtype) == ((COUNT, HEIGHT, WIDTH, 3), np.uint8)
        assert pictures.std(axis=(1, 2, 3)).min() > 5
        assert len(np.unique(pictures.reshape(COUNT, -1), axis=0)) > 1


def test_oddities__faces_are_grey_and_coloured(made: dict[str, Pixels]) -> None:
    grey = [bool((face == face[..., :1]).all()) for face in made["faces"]]
    assert grey == [True, False] * (COUNT // 2)


def test_oddities__skin_is_no_longer_redder_than_blue(lesions: Pixels, made: dict[str, Pixels]) -> None:
    def order(pictures: Pixels) -> set[tuple[int, ...]]:
        return {tuple(np.argsort(picture.mean((0, 1))).tolist()) for picture in pictures}

    assert order(lesions) == {(2, 1, 0)}
    assert (2, 1, 0) not in order(made["recoloured_lesions"]) | order(made["recoloured_phantoms"])


def test_oddities__same_seed_same_pictures(lesions: Pixels, made: dict[str, Pixels]) -> None:
    again, other = oddities(lesions, COUNT, seed=1), oddities(lesions, COUNT, seed=2)
    assert all((again[kind] == made[kind]).all() for kind in made)
    assert not any((other[kind] == made[kind]).all() for kind in made)
