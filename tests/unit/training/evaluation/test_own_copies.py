import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.errors import BadInput
from casekin.imaging.read import is_turned, read_image
from tests.vocabularies import ham10000_vocabulary
from training.data.cases import read_collection
from training.evaluation.evaluate import Material, gather
from training.evaluation.own_copies import QUALITY, compressed, own_copies_found, turned
from training.evaluation.systems import BundleSystem


@pytest.fixture(scope="module")
def system(tiny_bundle: Path) -> BundleSystem:
    return BundleSystem(tiny_bundle)


@pytest.fixture(scope="module")
def material(collection_folder: Path, system: BundleSystem, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return gather(system, read_collection(collection_folder), tmp_path_factory.mktemp("store"), (0,))


def _files(material: Material, count: int) -> dict[str, bytes]:
    """Lossless uploads of what the encoder sees of the first cases, at three times the size."""
    files = {}
    for case, pixels in zip(material.split.cases[:count], material.pixels, strict=False):
        large = Image.fromarray(pixels).resize((3 * pixels.shape[1], 3 * pixels.shape[0]), Image.Resampling.NEAREST)
        files[case.id] = _png(large)
    return files


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_own_copies__are_found_first_by_a_latent_that_reads_mean_colours(
    system: BundleSystem, material: Material
) -> None:
    found = own_copies_found(system, material, _files(material, 6))
    assert found.keys() == {"own_copy_first", "own_turn_first", "own_jpeg40_first"}
    assert found["own_copy_first"].keys() == {"clinical", "visual"}
    assert str(found["own_copy_first"]["clinical"]) == "6 of 6"
    assert found["own_turn_first"]["visual"].rate == 1, "mean colours do not turn"


def test_own_copies__are_missed_where_another_case_is_nearer(system: BundleSystem, material: Material) -> None:
    files = _files(material, 2)
    (first, one), (second, other) = files.items()
    swapped = own_copies_found(system, material, {first: other, second: one})
    assert str(swapped["own_copy_first"]["clinical"]) == "0 of 2"


def test_own_copies__count_images_of_the_same_lesion_as_misses(system: BundleSystem, material: Material) -> None:
    files = _files(material, 2)
    cases = list(material.split.cases)
    cases[0], cases[1] = (replace(case, lesion="one") for case in cases[:2])
    split = replace(material.split, cases=cases, vocabulary=ham10000_vocabulary(*system.classes))
    (first, _), (_, other) = files.items()
    found = own_copies_found(system, replace(material, split=split), {first: other})
    assert found["own_copy_first"]["visual"].rate == 0


def test_own_copies__refuse_an_upload_that_has_no_copy(system: BundleSystem, material: Material) -> None:
    with pytest.raises(BadInput, match="1 uploads have no copy in the collection, such as ISIC_9"):
        own_copies_found(system, material, {"ISIC_9": next(iter(_files(material, 1).values()))})


def test_turned__is_not_turned_back_by_serving(system: BundleSystem) -> None:
    half_dark = np.zeros((48, 64, 3), np.uint8)
    half_dark[:, 32:] = 200
    image = read_image(turned(_png(Image.fromarray(half_dark))))
    assert is_turned(image, system.input)
    shown = np.asarray(image.transpose(Image.Transpose.ROTATE_90))
    assert (shown[:, :32] == 200).all(), "half a turn: what was on the right is on the left"


def test_compressed__loses_detail() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    again = np.asarray(read_image(compressed(_png(Image.fromarray(noise)))))
    assert again.shape == noise.shape
    assert np.abs(again.astype(int) - noise).mean() > 10
    assert QUALITY == 40
