from pathlib import Path

import numpy as np
import pytest

from casekin.contracts.bundle import InputSpec
from casekin.images import fit, read_image
from training.cases import LabelledCase, read_cases, refuse_leaks
from training.config import Config, DataConfig
from training.data import BalancedSampler, Collection
from training.pixels import Archives, cached_pixels

SPEC = InputSpec(height=32, width=64, resample="bilinear")


def test_read_cases__shares_no_lesion_between_folds(collection_folder: Path) -> None:
    cases = read_cases(collection_folder)
    assert len(cases) == 60
    for one in range(5):
        inside = {case.lesion for case in cases if case.fold == one}
        assert inside
        assert not inside & {case.lesion for case in cases if case.fold != one}


def test_refuse_leaks__names_the_lesion_that_is_in_two_folds() -> None:
    cases = [LabelledCase("a", "HAM_7", "nv", 0), LabelledCase("b", "HAM_7", "nv", 3)]
    with pytest.raises(ValueError, match="HAM_7 is in folds 0 and 3"):
        refuse_leaks(cases)


def test_data_config__refuses_a_fold_that_teaches_and_chooses() -> None:
    with pytest.raises(ValueError, match="shares \\[2\\]"):
        DataConfig(train_folds=(2, 3), validation_folds=(1, 2))


def test_cached_pixels__are_what_serving_would_feed_the_encoder(collection_folder: Path, tmp_path: Path) -> None:
    ids = [case.id for case in read_cases(collection_folder)]
    pixels = cached_pixels(collection_folder, ids, SPEC, tmp_path)
    archives = Archives(sorted(collection_folder.glob("*images*.zip")))
    for row in (0, 17, 59):
        served = fit(read_image(archives.read(ids[row])), SPEC)
        np.testing.assert_array_equal(pixels[row].transpose(2, 0, 1), np.rint(served * 255).astype(np.uint8))


def test_cached_pixels__are_made_once_and_anew_for_another_size(collection_folder: Path, tmp_path: Path) -> None:
    ids = [case.id for case in read_cases(collection_folder)][:5]
    cached_pixels(collection_folder, ids, SPEC, tmp_path)
    (first,) = tmp_path.iterdir()
    made = first.stat().st_mtime_ns
    cached_pixels(collection_folder, ids, SPEC, tmp_path)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [made]
    cached_pixels(collection_folder, ids, SPEC.model_copy(update={"resample": "box"}), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


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


def test_collection__keeps_test_fold_out_of_both_loaders(collection_folder: Path, tmp_path: Path, tiny: Config) -> None:
    collection = Collection(collection_folder, tmp_path, tiny.data, seed=1)
    used = {collection.cases[p].fold for p in collection.train_positions + collection.validation_positions}
    assert used == {1, 2, 3, 4}
    assert sum(collection.class_shares()) == pytest.approx(1)
