import os
from collections import Counter
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
from training.data.collection import BalancedSampler, Collection
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


def test_balanced_sampler__draws_by_the_power_of_the_share_and_repeats_an_epoch() -> None:
    labels = [0] * 9000 + [1] * 1000
    sampler = BalancedSampler(labels, balance=0.5, seed=3)
    drawn = np.array(labels)[list(sampler)]
    assert drawn.mean() == pytest.approx(1 / (1 + 3), abs=0.02)  # sqrt(1) against sqrt(9)
    assert list(sampler) == list(sampler)
    before = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != before


def test_balanced_sampler__takes_every_image_of_a_class_before_any_twice() -> None:
    sampler = BalancedSampler([0] * 50 + [1] * 50, balance=1.0, seed=0)
    drawn = [index for index in sampler if index < 50][:50]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_balanced_sampler__as_it_is_draws_every_image_once_whoever_draws_it(ranks: int) -> None:
    labels = [0] * 41 + [1] * 13 + [2] * 6
    drawn = [list(BalancedSampler(labels, balance=0, seed=5, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert {len(part) for part in drawn} == {60 // ranks}
    assert sorted(index for part in drawn for index in part) == list(range(60))


@pytest.mark.parametrize("epoch", [0, 1])
def test_balanced_sampler__ranks_share_out_what_one_process_would_draw(epoch: int) -> None:
    labels = [0] * 90 + [1] * 10
    ranks = [BalancedSampler(labels, 0.5, seed=5, rank=rank, ranks=4) for rank in range(4)]
    alone = BalancedSampler(labels, 0.5, seed=5)
    for sampler in (*ranks, alone):
        sampler.set_epoch(epoch)
    together = [index for step in zip(*ranks, strict=True) for index in step]
    assert together == list(alone)


def test_balanced_sampler__gives_each_rank_as_much_where_they_do_not_divide_the_images() -> None:
    drawn = [list(BalancedSampler([0] * 10, balance=0, seed=1, rank=rank, ranks=4)) for rank in range(4)]
    assert [len(part) for part in drawn] == [3, 3, 3, 3]
    times = Counter(index for part in drawn for index in part)
    assert len(times) == 10
    assert max(times.values()) == 2


def test_balanced_sampler__never_misses_a_rare_class() -> None:
    sampler = BalancedSampler([0] * 997 + [1] * 3, balance=0.3, seed=0)
    expected = sampler.shares[1] * 1000
    for epoch in range(5):
        sampler.set_epoch(epoch)
        assert abs(sum(index >= 997 for index in sampler) - expected) < 1


def test_collection__keeps_test_fold_out_of_both_loaders(collection_folder: Path, tmp_path: Path, tiny: Config) -> None:
    collection = Collection(collection_folder, tmp_path, tiny.data, seed=1)
    used = {collection.cases[p].fold for p in collection.train_positions + collection.validation_positions}
    assert used == {1, 2, 3, 4}
    assert sum(collection.class_shares()) == pytest.approx(1)
