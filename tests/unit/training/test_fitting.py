from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.config import CONFIGS, Config, named
from training.fitting import fit


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=False)["state_dict"]
    return state


@pytest.fixture(scope="module")
def unbroken(collection_folder: Path, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unbroken")
    return fit(tiny, collection_folder, root / "runs", root / "pixels")


def test_fit__learns_and_leaves_checkpoints_and_logs(unbroken: Path) -> None:
    assert unbroken.name == "last.ckpt"
    figures = (unbroken.parent / "csv" / "version_0" / "metrics.csv").read_text()
    assert "validation/p_at_1_macro" in figures.splitlines()[0]
    assert list((unbroken.parent / "tensorboard").rglob("events*"))


def test_fit__moves_the_average_with_the_network(unbroken: Path) -> None:
    state = _weights(unbroken)
    name = "encoder.diagnosis.weight"
    assert not torch.equal(state[f"averaged.{name}"], state[f"network.{name}"])


def test_fit__resumed_after_a_cut_gives_what_the_unbroken_run_gave(
    unbroken: Path, collection_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import module

    step = module.GuidedTraining.training_step

    def cut(self: module.GuidedTraining, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        if self.current_epoch == 1 and number == 1:
            raise KeyboardInterrupt  # as near to kill -9 as one process can come: nothing more is saved
        return step(self, batch, number)

    with monkeypatch.context() as patched:
        patched.setattr(module.GuidedTraining, "training_step", cut)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit(tiny, collection_folder, tmp_path / "runs", tmp_path / "pixels")
    resumed = _weights(fit(tiny, collection_folder, tmp_path / "runs", tmp_path / "pixels"))
    for name, value in _weights(unbroken).items():
        torch.testing.assert_close(resumed[name], value, msg=lambda text, name=name: f"{name}: {text}")


def test_fit__starts_from_the_averaged_weights_of_another_run(
    unbroken: Path, collection_folder: Path, tiny: Config, tmp_path: Path
) -> None:
    still = replace(
        tiny, name="second", optimiser=replace(tiny.optimiser, epochs=1, backbone_rate=0, new_rate=0, weight_decay=0)
    )
    second = _weights(fit(still, collection_folder, tmp_path / "runs", tmp_path / "pixels", initial=unbroken))
    name = "encoder.diagnosis.weight"
    torch.testing.assert_close(second[f"network.{name}"], _weights(unbroken)[f"averaged.{name}"])


def test_named__says_which_configurations_there_are() -> None:
    with pytest.raises(ValueError, match="debug, coarse, guided"):
        named("best")


@pytest.mark.parametrize("name", list(CONFIGS))
def test_flat__holds_every_choice(name: str) -> None:
    flat = named(name).flat()
    assert flat["name"] == name
    assert flat["data.train_folds"] == "2 3 4"
    assert all(isinstance(value, str | int | float | bool) for value in flat.values())
