"""The hard out-of-distribution images are what their names say."""

import numpy as np
import pytest

from benchmarks.hard_set import hard_set
from benchmarks.oddities import Pixels

COUNT, HEIGHT, WIDTH = 8, 72, 96
KINDS = {
    "grey_lesions",
    "inverted_lesions",
    "healthy_skin",
    "clinical_photographs",
    "other_dermatoscopes",
    "histology_slides",
    "scans",
    "skin_coloured_textures",
}


@pytest.fixture(scope="module")
def lesions() -> Pixels:
    """Skin with a dark spot in the middle, of another red each."""
    pictures = np.full((3, HEIGHT, WIDTH, 3), (220, 170, 150), np.uint8)
    for number, picture in enumerate(pictures):
        picture[24:48, 32:64] = (90 + 10 * number, 50, 40)
    return pictures


@pytest.fixture(scope="module")
def made(lesions: Pixels) -> dict[str, Pixels]:
    return hard_set(lesions, COUNT, seed=1)


def test_hard_set__every_kind_has_as_many_as_asked_and_none_is_blank(made: dict[str, Pixels]) -> None:
    assert set(made) == KINDS
    for pictures in made.values():
        assert (pictures.shape, pictures.dtype) == ((COUNT, HEIGHT, WIDTH, 3), np.uint8)
        assert pictures.std(axis=(1, 2, 3)).min() > 3
        assert len(np.unique(pictures.reshape(COUNT, -1), axis=0)) > 1


def test_hard_set__grey_and_inverted_lesions_are_the_lesions_without_colour_and_as_negatives(
    lesions: Pixels, made: dict[str, Pixels]
) -> None:
    assert (made["grey_lesions"] == made["grey_lesions"][..., :1]).all()
    for negative, grey in zip(made["inverted_lesions"], made["grey_lesions"], strict=True):
        assert any((negative == 255 - lesion).all() for lesion in lesions)
        assert grey[36, 48, 0] < grey[0, 0, 0]
        assert negative[36, 48].sum() > negative[0, 0].sum()


def test_hard_set__healthy_skin_has_no_lesion_in_the_middle(made: dict[str, Pixels]) -> None:
    for skin in made["healthy_skin"].astype(float):
        middle, around = skin[30:42, 40:56].mean((0, 1)), skin[10:62, 14:82].mean((0, 1))
        assert np.abs(middle - around).max() < 25
        assert around[0] > around[2], "redder than blue"


def test_hard_set__clinical_photographs_show_the_lesion_small(lesions: Pixels, made: dict[str, Pixels]) -> None:
    spot = np.abs(lesions[0].astype(int) - lesions[0, 0, 0]).sum(2) > 100
    assert spot.mean() > 0.1
    for photograph, skin in zip(made["clinical_photographs"], made["healthy_skin"], strict=True):
        differs = np.abs(photograph.astype(int) - skin).sum(2) > 60
        assert differs.any()
        assert (photograph.sum(2) < 250).mean() < 0.5


def test_hard_set__other_dermatoscopes_have_a_round_field(made: dict[str, Pixels]) -> None:
    for image in made["other_dermatoscopes"]:
        corners = np.stack([image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]])
        assert corners.max() < 20
        assert image[HEIGHT // 2, WIDTH // 3].sum() > 60


def test_hard_set__same_seed_same_images(lesions: Pixels, made: dict[str, Pixels]) -> None:
    again, other = hard_set(lesions, COUNT, seed=1), hard_set(lesions, COUNT, seed=2)
    assert all((again[kind] == made[kind]).all() for kind in made)
    assert not any((other[kind] == made[kind]).all() for kind in KINDS - {"grey_lesions", "inverted_lesions"})
