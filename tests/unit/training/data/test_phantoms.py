from pathlib import Path

import numpy as np
import pytest

from casekin.errors import BadInput
from casekin.phantoms import SCALES, make_up
from training.data.cases import read_collection
from training.data.phantoms import SEED, phantom_collection, phantom_factors
from training.latent_space.image_factors import known_factors
from training.latent_space.lesion_measures import MEASURES


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_collection("phantoms:6", tmp_path_factory.mktemp("cache"))


def test_phantom_collection__is_one_to_train_on_and_drawn_once(drawn: Path) -> None:
    assert len(read_collection(drawn).cases) == 6
    before = {file: file.stat().st_mtime_ns for file in drawn.rglob("*.jpg")}
    assert phantom_collection("phantoms:6", drawn.parent) == drawn
    assert {file: file.stat().st_mtime_ns for file in drawn.rglob("*.jpg")} == before


def test_phantom_factors__are_what_the_pictures_were_drawn_from(drawn: Path) -> None:
    ids = [phantom.image_id for phantom in make_up(6, SEED)][::-1]
    table = phantom_factors(drawn, ids)
    assert tuple(factor.name for factor in table.factors) == tuple(SCALES)
    truth = [[getattr(phantom.factors, name) for name in SCALES] for phantom in make_up(6, SEED)][::-1]
    np.testing.assert_allclose(table.values, truth)


def test_phantom_factors__refuse_an_unknown_id(drawn: Path) -> None:
    with pytest.raises(BadInput, match="no factors of stranger"):
        phantom_factors(drawn, ["stranger"])


@pytest.mark.parametrize("word", ["phantom", "phantoms:", "phantoms:0", "phantoms:-3", "phantoms:x"])
def test_phantom_collection__refuses_what_is_no_number(word: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no number of phantoms"):
        phantom_collection(word, tmp_path)


def test_known_factors__are_the_truth_of_phantoms_what_masks_show_or_nothing(
    drawn: Path, collection_folder: Path, tmp_path: Path
) -> None:
    pixels = np.zeros((1, 32, 64, 3), np.uint8)
    phantoms = known_factors(drawn, ["PHANTOM_0007_000001"], pixels)
    assert "Skin tone" in phantoms.names
    assert phantoms.values.shape == (1, len(SCALES))
    assert known_factors(collection_folder, ["ISIC_00000"], pixels).names == MEASURES
    assert known_factors(tmp_path, ["a"], pixels).values.shape == (1, 0)
