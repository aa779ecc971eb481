import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.collections.files import LooseFile
from casekin.contracts.bundle import InputSpec
from casekin.imaging.read import fit, read_image
from tests.pictures import saved
from training.config.guided import Config, DataConfig
from training.data.cases import read_collection
from training.data.collection import Collection
from training.data.image_cache import cached_pixels, encoder_pixels

SPEC = InputSpec(height=32, width=64, resample="bilinear")


def test_data_config__refuses_a_fold_that_teaches_and_chooses() -> None:
    with pytest.raises(ValueError, match="shares \\[2\\]"):
        DataConfig(train_folds=(2, 3), validation_folds=(1, 2))


def test_cached_pixels__are_what_serving_would_feed_the_encoder(collection_folder: Path, tmp_path: Path) -> None:
    images = read_collection(collection_folder).images
    ids = sorted(images)
    pixels = cached_pixels(images, ids, SPEC, tmp_path).pixels
    for row in (0, 17, 59):
        served = fit(read_image(images[ids[row]].read()), SPEC)
        np.testing.assert_array_equal(pixels[row].transpose(2, 0, 1), np.rint(served * 255).astype(np.uint8))


def test_cached_pixels__are_made_once_and_anew_for_another_size(collection_folder: Path, tmp_path: Path) -> None:
    images = read_collection(collection_folder).images
    ids = sorted(images)[:5]
    cached_pixels(images, ids, SPEC, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    cached_pixels(images, ids, SPEC, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made
    cached_pixels(images, ids, SPEC.model_copy(update={"resample": "box"}), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 * len(made)


def test_cached_pixels__are_made_anew_for_a_changed_file(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.png", tmp_path / "cache"
    seen = []
    for grey in (40, 90):
        Image.new("RGB", (64, 32), (grey, grey, grey)).save(file)
        os.utime(file, ns=(grey, grey))  # the same size, and on a coarse clock the same time
        seen.append(int(cached_pixels({"a": LooseFile(file)}, ["a"], SPEC, cache).pixels[0, 0, 0, 0]))
    assert seen == [40, 90]


def test_cached_pixels__leave_out_what_cannot_be_read_and_say_why(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (9, 9, 9)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    images = {name: LooseFile(tmp_path / f"{name}.png") for name in ("bad", "good")}
    for _ in range(2):  # made, then from the cache
        decoded = cached_pixels(images, ["bad", "good"], SPEC, tmp_path / "cache")
        assert decoded.ids == ["good"]
        assert decoded.pixels.shape == (1, 32, 64, 3)
        assert "text" in decoded.unreadable["bad"]


def test_encoder_pixels__of_a_grey_image_have_three_equal_channels() -> None:
    ramp = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (32, 1)))
    pixels = encoder_pixels(saved(ramp, "PNG"), SPEC)
    assert pixels.shape == (32, 64, 3)
    assert np.ptp(pixels, axis=2).max() == 0
    assert np.array_equal(pixels[0, :, 0], np.arange(64))


def test_collection__keeps_test_fold_out_of_both_loaders(collection_folder: Path, tmp_path: Path, tiny: Config) -> None:
    collection = Collection(collection_folder, tmp_path, tiny.data, seed=1)
    used = {collection.cases[p].fold for p in collection.train_positions + collection.validation_positions}
    assert used == {1, 2, 3, 4}
    assert sum(collection.class_shares()) == pytest.approx(1)
