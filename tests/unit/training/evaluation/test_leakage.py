import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance

from tests.vocabularies import ham10000_vocabulary
from training.data.cases import LabelledCase
from training.evaluation.leakage import alike_images, audit_leaks, equal_images
from training.evaluation.split import Split, Vectors

Pixels = npt.NDArray[np.uint8]


def _pressed(pixels: Pixels) -> Pixels:
    file = io.BytesIO()
    ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(1.15).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


@pytest.fixture
def split(case: Callable[..., LabelledCase]) -> Split:
    return Split([case(number, fold=int(number >= 8)) for number in range(16)], ham10000_vocabulary("mel", "nv"), (0,))


def test_audit_leaks__of_a_sound_split_finds_nothing(split: Split, pictures: Pixels) -> None:
    audit = audit_leaks(split, Vectors("any", pictures.mean((1, 2)), np.ones(3)), pictures)
    assert (audit.shared_lesions, audit.equal_images, audit.alike_images, audit.siblings) == (0, [], [], 0)


def test_audit_leaks__finds_a_planted_lesion_and_a_planted_image(
    case: Callable[..., LabelledCase], pictures: Pixels
) -> None:
    cases = [case(number, fold=int(number >= 8)) for number in range(16)]
    cases[9] = case(9, lesion="lesion 2", diagnosis="mel")
    pixels = pictures.copy()
    pixels[11] = pixels[4]
    audit = audit_leaks(
        Split(cases, ham10000_vocabulary("mel", "nv"), (0,)), Vectors("any", pixels.mean((1, 2)), np.ones(3)), pixels
    )
    assert audit.shared_lesions == 1
    assert [(copy.query, copy.case) for copy in audit.equal_images] == [("image 4", "image 11")]
    assert audit.alike_images == []


def test_equal_images__tell_a_single_pixel(split: Split, pictures: Pixels) -> None:
    pixels = pictures.copy()
    pixels[8] = pixels[0]
    assert len(equal_images(split.cases, split.queries, split.gallery, pixels)) == 1
    pixels[8, 0, 0, 0] ^= 1
    assert equal_images(split.cases, split.queries, split.gallery, pixels) == []


@pytest.mark.parametrize("turned", [lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1, ::-1]])
def test_alike_images__find_a_copy_pressed_brightened_or_mirrored(
    split: Split, pictures: Pixels, turned: Callable[[Pixels], Pixels]
) -> None:
    pixels = pictures.copy()
    pixels[13] = _pressed(turned(pixels[5]))
    (found,) = alike_images(split.cases, split.queries, split.gallery, pixels)
    assert (found.query, found.case, found.same_diagnosis) == ("image 5", "image 13", True)
    assert 0.9 < found.correlation < 1


def test_audit_leaks__the_leaking_figure_rises_by_siblings_alone(case: Callable[..., LabelledCase]) -> None:
    # Latents that know the lesion and nothing else: pairs of images, far from all others.
    random = np.random.default_rng(0)
    places = np.repeat(random.normal(size=(40, 8)) * 9, 2, axis=0) + random.normal(size=(80, 8)) * 0.01
    diagnoses = np.repeat(random.choice(["mel", "nv"], 40), 2)
    cases = [case(i, lesion=f"lesion {i // 2}", diagnosis=str(diagnoses[i]), fold=int(i >= 40)) for i in range(80)]
    pixels = random.integers(0, 256, (80, 48, 64, 3), dtype=np.uint8)
    audit = audit_leaks(
        Split(cases, ham10000_vocabulary("mel", "nv"), (0,)), Vectors("sibling finder", places, np.ones(8)), pixels
    )
    assert audit.siblings == 40
    assert audit.leaking["p_at_1_macro"].value == 1
    assert audit.sound["p_at_1_macro"].value < 0.8
