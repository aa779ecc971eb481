import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from training.cli import app
from training.config.baselines import FAMILY, FactorLoss, FamilyConfig, HardwareConfig, ScheduleConfig, member
from training.vae_baselines.fit import FamilyTraining, Terms, embed_by_member, fit_member, load_member
from training.vae_baselines.sources import open_source

ROOT = Path(__file__).parents[4]


def _small(name: str, **changes: object) -> FamilyConfig:
    config = member(f"debug-{name}")
    schedule = replace(config.schedule, epochs=2, epoch_images=128, batch_size=16)
    return replace(config, schedule=schedule, hardware=HardwareConfig(precision="32-true"), **changes)  # type: ignore[arg-type]


def _state(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=False)["state_dict"]
    return state


def _columns(checkpoint: Path) -> list[str]:
    return (checkpoint.parent / "csv" / "version_0" / "metrics.csv").read_text().splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("fully-connected", {"divergence"}),
        ("convolutional", {"divergence"}),
        ("beta", {"divergence"}),
        ("annealed", {"capacity"}),
        ("factor", {"divergence", "total_correlation", "discriminator_error"}),
        ("beta-tc", {"index_code", "total_correlation", "dimension_wise"}),
    ],
)
def test_fit_member__learns_sprites_with_its_own_loss(name: str, terms: set[str], tmp_path: Path) -> None:
    checkpoint = fit_member(_small(name), "sprites", tmp_path / "runs", tmp_path / "pixels")
    assert checkpoint.name == "last.ckpt"
    trained = {column.removeprefix("train/") for column in _columns(checkpoint) if column.startswith("train/")}
    assert trained == terms | {"error"}
    assert list((checkpoint.parent / "tensorboard").rglob("events*"))
    network = load_member(checkpoint)
    assert network.decoder(network.encoder(torch.rand(2, 1, 32, 32)).mean).shape == (2, 1, 32, 32)


@pytest.mark.parametrize(("side", "weight"), [(32, 4.0), (64, 1.0)])
def test_reconstruction__counts_pictures_as_if_they_had_the_papers_size(
    side: int, weight: float, tmp_path: Path
) -> None:
    config = _small("beta", height=side, width=side)
    module = FamilyTraining(config, open_source("sprites", config, tmp_path))
    latents, images = torch.zeros(2, config.dimensions), torch.rand(2, 1, side, side)
    counted, error = module.reconstruction(latents, images)["error"]
    assert counted == weight
    torch.testing.assert_close(error, module.error(latents, images))


@pytest.mark.parametrize("name", ["beta", "factor"])
def test_fit_member__descends_by_the_counted_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[float] = []
    weighted_sum = FamilyTraining.weighted_sum

    def watched(self: FamilyTraining, terms: Terms) -> torch.Tensor:
        met.append(terms["error"][0])
        return weighted_sum(self, terms)

    monkeypatch.setattr(FamilyTraining, "weighted_sum", watched)
    fit_member(_small(name), "sprites", tmp_path / "runs", tmp_path / "pixels")
    assert set(met) == {4.0}


def test_fit_member__lowers_the_error(tmp_path: Path) -> None:
    config = _small("convolutional")
    config = replace(config, schedule=replace(config.schedule, epochs=3, epoch_images=1600))
    checkpoint = fit_member(config, "sprites", tmp_path / "runs", tmp_path / "pixels")
    rows = (checkpoint.parent / "csv" / "version_0" / "metrics.csv").read_text().splitlines()
    at = rows[0].split(",").index("validation/error")
    errors = [float(row.split(",")[at]) for row in rows[1:] if row.split(",")[at]]
    assert errors[-1] < 0.9 * errors[0]


def test_fit_member__learns_a_collection_and_measures_its_retrieval(collection_folder: Path, tmp_path: Path) -> None:
    config = _small("beta-tc", height=32, width=48)
    checkpoint = fit_member(config, str(collection_folder), tmp_path / "runs", tmp_path / "pixels")
    assert "validation/p_at_5_macro" in _columns(checkpoint)
    assert load_member(checkpoint).shape == (3, 32, 48)


def test_fit_member__stops_early_on_its_metric(tmp_path: Path) -> None:
    config = _small("beta")
    still = replace(config.schedule, epochs=6, rate=0.0, patience=1)
    checkpoint = fit_member(replace(config, schedule=still), "sprites", tmp_path / "runs", tmp_path / "pixels")
    assert torch.load(checkpoint, weights_only=False)["epoch"] == 1


def test_factor__updates_vae_and_discriminator_each_by_its_own_optimiser(tmp_path: Path) -> None:
    config = _small("factor")
    assert isinstance(config.loss, FactorLoss)
    frozen = replace(config, loss=replace(config.loss, rate=0.0))
    checkpoint = fit_member(frozen, "sprites", tmp_path / "runs", tmp_path / "pixels")
    one = replace(frozen, name="one", schedule=replace(config.schedule, epochs=1))
    earlier = fit_member(one, "sprites", tmp_path / "runs", tmp_path / "pixels")
    before, after = _state(earlier), _state(checkpoint)
    # Of rate 0, the discriminator stays as it was drawn although the VAE's loss passes through it.
    assert all(torch.equal(before[n], after[n]) for n in after if n.startswith("discriminator."))
    assert not torch.equal(before["network.encoder.0.weight"], after["network.encoder.0.weight"])
    assert len(torch.load(checkpoint, weights_only=False)["optimizer_states"]) == 2


def test_fit_member__refuses_to_go_on_with_another_configuration(tmp_path: Path) -> None:
    config = _small("beta")
    fit_member(config, "sprites", tmp_path / "runs", tmp_path / "pixels")
    with pytest.raises(ValueError, match="had other dimensions; name another --store"):
        fit_member(replace(config, dimensions=3), "sprites", tmp_path / "runs", tmp_path / "pixels")


def _command(store: Path, *more: str) -> list[str]:
    given = ["--config", "debug-factor", "--data", "sprites", "--store", str(store), *more]
    return [sys.executable, "-m", "training", "fit", *given]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fit_member__killed_and_resumed_gives_the_weights_of_the_unbroken_run(tmp_path: Path) -> None:
    subprocess.run(_command(tmp_path / "unbroken"), cwd=ROOT, env=_environment(), check=True)
    checkpoint = Path("runs", "debug-factor-sprites", "last.ckpt")
    cut = tmp_path / "cut" / checkpoint
    with subprocess.Popen(_command(tmp_path / "cut"), cwd=ROOT, env=_environment()) as run:
        while not cut.exists():
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert torch.load(cut, weights_only=False)["epoch"] < member("debug-factor").schedule.epochs - 1
    subprocess.run(_command(tmp_path / "cut"), cwd=ROOT, env=_environment(), check=True)
    unbroken = _state(tmp_path / "unbroken" / checkpoint)
    for name, value in _state(cut).items():
        assert torch.equal(value, unbroken[name]), name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fit_member__shares_the_work_between_processes(tmp_path: Path) -> None:
    subprocess.run(_command(tmp_path, "--devices", "2", "--epochs", "1"), cwd=ROOT, env=_environment(), check=True)
    state = torch.load(tmp_path / "runs" / "debug-factor-sprites" / "last.ckpt", weights_only=False)
    # Two processes of half the steps; both optimisers count.
    schedule = member("debug-factor").schedule
    assert state["global_step"] == 2 * schedule.epoch_images // (2 * schedule.batch_size)


def test_embed_by_member__gives_latents_of_all_cases_in_order(collection_folder: Path, tmp_path: Path) -> None:
    found = embed_by_member(
        collection_folder,
        tmp_path / "runs",
        tmp_path / "pixels",
        ("beta", "factor"),
        ScheduleConfig(epochs=1, epoch_images=64, batch_size=8),
    )
    assert list(found) == ["beta", "factor"]
    assert {codes.shape for codes in found.values()} == {(60, FAMILY["beta"].dimensions)}
    assert not np.allclose(found["beta"], found["factor"])


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_cli__fits_and_measures_members_on_phantoms(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.vae_baselines.sources.PHANTOMS", 600)
    paths = []
    for name in ("debug-convolutional", "debug-beta"):
        given = ["--data", "phantoms", "--config", name, "--store", str(tmp_path), "--epochs", "1"]
        result = runner.invoke(app, ["fit", *given])
        assert result.exit_code == 0, result.output
        paths.append(str(tmp_path / "runs" / f"{name}-phantoms" / "last.ckpt"))
    result = runner.invoke(app, ["disentanglement", *paths, "--data", "phantoms", "--store", str(tmp_path)])
    figures = json.loads(result.stdout)
    assert set(figures) == set(paths)
    for row in figures.values():
        assert {"mig", "sap", "factor_score", "dci", "udr", "used_dimensions"} <= set(row)


def test_cli__says_which_options_are_not_for_which_model(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["fit", "--data", "sprites", "--config", "beta", "--limit", "3"])
    assert result.exit_code == 2
    assert "--limit" in result.output
    result = runner.invoke(app, ["fit", "--data", "sprites", "--config", "debug"])
    assert result.exit_code == 1
    assert "no folder" in result.output


def test_member__says_which_there_are() -> None:
    with pytest.raises(ValueError, match="fully-connected, convolutional, beta, annealed, factor, beta-tc"):
        member("best")


@pytest.mark.parametrize("name", list(FAMILY))
def test_members__differ_in_nothing_but_loss_and_architecture(name: str) -> None:
    common = {"loss": FAMILY["beta"].loss, "name": "", "architecture": "convolutional"}
    assert replace(FAMILY[name], **common) == replace(FAMILY["beta"], **common)  # type: ignore[arg-type]
