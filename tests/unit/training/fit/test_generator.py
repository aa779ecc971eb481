import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config.generator import GeneratorConfig, GeneratorLoss
from training.config.guided import Config
from training.data.collection import Collection
from training.fit import generator
from training.fit.fit import Trained, load_trained, module_for, save_trained
from training.fit.generator import State, fit_generator
from training.fit.generator_moves import Coordinates, Sizes, draw_moves
from training.latent_space.embed import encode
from training.models.guided_vae import GuidedVAE

SHORT = GeneratorConfig(width=48, steps=4, own=3, swapped=3, pairs=2, precision="32-true", log_every=2)


@pytest.fixture
def network(collection: Collection, tiny: Config) -> GuidedVAE:
    torch.manual_seed(0)
    return module_for(tiny, collection).averaged.eval()


@pytest.fixture
def coordinates(network: GuidedVAE, collection: Collection) -> Coordinates:
    means = encode(network, collection, collection.train_positions).means
    D, S = means.shape[1], network.config.diagnosis_dimensions
    random = np.random.default_rng(0)
    matrix = np.zeros((D, D))
    matrix[:S, :S], matrix[S:, S:] = np.linalg.qr(random.normal(size=(S, S)))[0], np.eye(D - S)
    centre = means.mean(0)
    values = (means - centre) @ matrix.T
    latents = (values - values.mean(0)) / values.std(0)
    weights = np.r_[np.linspace(2, 1, S), np.full(D - S, 0.01)]
    return Coordinates.of(centre, matrix, values.mean(0), values.std(0), weights, latents, S)


def test_coordinates__lead_to_the_networks_own_latents_and_back(
    network: GuidedVAE, collection: Collection, coordinates: Coordinates
) -> None:
    means = torch.from_numpy(encode(network, collection, collection.train_positions).means)
    S = coordinates.ranking
    torch.testing.assert_close(coordinates.to_raw(coordinates.latents), means, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(coordinates.of_ranking(means[:, :S]), coordinates.latents[:, :S], atol=1e-3, rtol=1e-3)
    # A latent that an encoder gave is on its sphere and so is read as it is.
    torch.testing.assert_close(
        coordinates.readable(coordinates.latents), coordinates.latents[:, :S], atol=1e-3, rtol=1e-3
    )
    centre, spread = coordinates.whitening()
    torch.testing.assert_close((means - centre) @ spread, coordinates.latents, atol=1e-3, rtol=1e-3)


def test_draw_moves__swaps_in_another_diagnosis_and_moves_one_dimension(
    collection: Collection, coordinates: Coordinates
) -> None:
    labels = [collection.labels[position] for position in collection.train_positions]
    S = coordinates.ranking
    for seed in range(20):
        moved = draw_moves(coordinates, labels, Sizes(2, 6, 3), np.random.default_rng(seed))
        start = coordinates.latents[moved.rows]
        assert torch.equal(moved.own, start[:2])
        assert torch.equal(moved.swapped[:, S:], start[2:8, S:])  # appearance stays
        whole = 0
        for row, latent in zip(moved.rows[2:8].tolist(), moved.swapped, strict=True):
            of = (coordinates.latents[:, :S] == latent[:S]).all(1).nonzero().flatten().tolist()
            whole += len(of)
            assert all(labels[other] != labels[row] for other in of)
        assert whole <= 6
        others = [d for d in range(len(start[0])) if d != moved.dimension]
        assert torch.equal(moved.low[:, others], start[8:][:, others])
        assert torch.equal(moved.high[:, others], start[8:][:, others])
        assert (moved.low[:, moved.dimension] < moved.high[:, moved.dimension]).all()


def test_fit_generator__leaves_encoder_decoder_and_head_as_they_are(
    network: GuidedVAE, collection: Collection, coordinates: Coordinates, tmp_path: Path
) -> None:
    after = fit_generator(network, collection, coordinates, SHORT)
    kept = network.state_dict()
    assert all(torch.equal(kept[name], after.state_dict()[name]) for name in kept)
    latents = coordinates.to_raw(coordinates.latents[:2])
    assert after.decode(latents).shape == (2, 3, 48, 96)
    save_trained(Trained(after, {}), tmp_path / "generator.ckpt")
    again = load_trained(tmp_path / "generator.ckpt").network
    assert torch.equal(again.decode(latents), after.decode(latents))


def test_fit_generator__resumes_after_a_kill_as_if_it_had_not_been_killed(
    network: GuidedVAE,
    collection: Collection,
    coordinates: Coordinates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    always = replace(SHORT, save_every_s=0.0)
    straight = fit_generator(network, collection, coordinates, always)
    state = State(tmp_path / "state.ckpt", "one")
    _kill_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit_generator(network, collection, coordinates, always, state)
    monkeypatch.undo()
    resumed = fit_generator(network, collection, coordinates, always, state)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


def test_fit_generator__starts_anew_where_the_state_is_of_another_network(
    network: GuidedVAE,
    collection: Collection,
    coordinates: Coordinates,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = replace(SHORT, steps=1)
    fit_generator(network, collection, coordinates, one, State(tmp_path / "state.ckpt", "one"))
    with caplog.at_level(logging.INFO):
        fit_generator(network, collection, coordinates, one, State(tmp_path / "state.ckpt", "two"))
    assert "is of another run and starts anew" in caplog.text
    assert "generator step 1 of 1" in caplog.text


def test_training__lets_the_reading_reach_the_generator(
    network: GuidedVAE, collection: Collection, coordinates: Coordinates
) -> None:
    """One batch again and again: what is read of it comes nearer to what is wanted, by what the generator draws."""
    only = {name: 0.0 for name in vars(GeneratorLoss()) if name not in {"reading", "levels", "low_levels"}}
    config = replace(SHORT, steps=100, rate=3e-3, critic_from=1.0, loss=replace(GeneratorLoss(), **only))
    training = generator._Training(network, collection, coordinates, config, 0)
    read = []
    for _ in range(25):
        training.step = 20
        read.append(training.run_step()["reading"])
    assert np.mean(read[-3:]) < 0.7 * read[0]


def _kill_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, done = generator._Training.run_step, []

    def counted(self: generator._Training) -> dict[str, float]:
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(self.step)
        return whole(self)

    monkeypatch.setattr(generator._Training, "run_step", counted)
