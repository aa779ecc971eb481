from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.config.baselines import FamilyConfig, member
from training.vae_baselines.sources import VARIED, Shuffled, open_source


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> FamilyConfig:
    monkeypatch.setattr("training.vae_baselines.sources.PHANTOMS", 120)
    return replace(member("debug-beta"), height=48, width=64)


def test_open_source__draws_phantoms_whose_factors_show(small: FamilyConfig, tmp_path: Path) -> None:
    source = open_source("phantoms", small, tmp_path)
    everyone = np.arange(len(source.pictures))
    pictures = source.pictures.batch(everyone).astype(float)
    assert pictures.shape == (120, 48, 64, 3)
    assert source.truth is not None
    truth = source.truth(everyone)
    assert tuple(factor.name for factor in truth.factors) == VARIED
    lightness = pictures.mean((1, 2, 3))
    assert np.corrcoef(lightness, truth.values[:, VARIED.index("exposure")])[0, 1] > 0.5
    assert np.corrcoef(lightness, truth.values[:, VARIED.index("skin_tone")])[0, 1] < -0.3
    some = np.array([7, 3])
    np.testing.assert_array_equal(source.truth(some).values, truth.values[some])


def test_open_source__draws_phantoms_once_and_maps_them_from_then_on(small: FamilyConfig, tmp_path: Path) -> None:
    first = open_source("phantoms", small, tmp_path).pictures.batch(np.arange(9))
    (stored,) = tmp_path.iterdir()
    written = stored.stat().st_mtime_ns
    np.testing.assert_array_equal(open_source("phantoms", small, tmp_path).pictures.batch(np.arange(9)), first)
    assert stored.stat().st_mtime_ns == written


@pytest.mark.parametrize("name", ["sprites", "phantoms"])
def test_open_source__holds_some_pictures_out(name: str, small: FamilyConfig, tmp_path: Path) -> None:
    source = open_source(name, replace(small, height=32, width=32), tmp_path)
    assert not set(source.train) & set(source.validation)
    assert len(source.train) + len(source.validation) == len(source.pictures)


def test_open_source__takes_the_folds_of_a_collection(collection_folder: Path, tmp_path: Path) -> None:
    source = open_source(str(collection_folder), replace(member("beta"), height=32, width=48), tmp_path)
    assert {source.cases[position].fold for position in source.train} == {2, 3, 4}
    assert {source.cases[position].fold for position in source.validation} == {1}
    assert source.pictures.batch(source.validation[:2]).shape == (2, 32, 48, 3)
    assert source.truth is None


def test_open_source__says_what_it_takes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a folder with a collection nor `sprites` nor `phantoms`"):
        open_source(str(tmp_path / "nowhere"), member("beta"), tmp_path)
    with pytest.raises(ValueError, match="has 48 x 64 pixels; sprites are square"):
        open_source("sprites", replace(member("beta"), height=48), tmp_path)


def test_shuffled__deals_every_picture_once_before_any_comes_again() -> None:
    shares = [Shuffled(np.arange(100, 124), batch=4, batches=2, seed=1, rank=rank, world=2) for rank in (0, 1)]
    seen: list[np.ndarray] = []
    for epoch in range(3):
        for share in shares:
            share.set_epoch(epoch)
        seen += [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert sorted(np.concatenate(seen[:6])) == list(range(100, 124))
    assert sorted(np.concatenate(seen[6:])) == list(range(100, 124))
    assert not np.array_equal(np.concatenate(seen[:6]), np.concatenate(seen[6:]))


def test_shuffled__repeats_an_epoch_exactly() -> None:
    first, again = (Shuffled(np.arange(50), batch=5, batches=3, seed=2) for _ in range(2))
    list(first)
    for sampler in (first, again):
        sampler.set_epoch(4)
    np.testing.assert_array_equal(list(first), list(again))


def test_shuffled__refuses_a_batch_that_the_collection_cannot_fill() -> None:
    with pytest.raises(ValueError, match="lower batch_size"):
        Shuffled(np.arange(10), batch=8, batches=1, seed=0, world=2)
