import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from casekin.errors import BadInput
from casekin.phantoms import write_phantoms
from tests.conftest import ROOT
from training.config.guided import CONFIGS, Config, named
from training.data.cases import read_collection
from training.data.collection import Collection
from training.fit.fit import SHOWN, fit, module_for
from training.fit.guided_module import GuidedTraining
from training.fit.tensorboard_images import STEPS


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


def test_fit__shows_reconstructions_and_traversals_in_tensorboard(unbroken: Path, tiny: Config) -> None:
    (events,) = (unbroken.parent / "tensorboard").rglob("events*")
    board = EventAccumulator(str(events), size_guidance={"images": 0}).Reload()
    assert set(board.Tags()["images"]) == {"reconstructions", "traversals"}
    pairs, moved = (board.Images(tag)[-1] for tag in ("reconstructions", "traversals"))
    assert (pairs.height, pairs.width) == (2 * tiny.model.output_height, SHOWN * tiny.model.output_width)
    assert (moved.height, moved.width) == (
        tiny.model.dimensions * tiny.model.output_height,
        STEPS * tiny.model.output_width,
    )


def test_fit__stops_when_retrieval_gets_no_better(collection_folder: Path, tiny: Config, tmp_path: Path) -> None:
    still = replace(tiny.optimiser, epochs=15, patience=1, backbone_rate=0, new_rate=0)
    last = fit(replace(tiny, optimiser=still), collection_folder, tmp_path / "runs", tmp_path / "pixels")
    assert torch.load(last, weights_only=False)["epoch"] < 14


def test_fit__without_validation_folds_measures_nothing_and_does_not_stop(
    collection_folder: Path, tiny: Config, tmp_path: Path
) -> None:
    alone = replace(tiny, data=replace(tiny.data, validation_folds=()), optimiser=replace(tiny.optimiser, patience=1))
    last = fit(alone, collection_folder, tmp_path / "runs", tmp_path / "pixels")
    assert torch.load(last, weights_only=False)["epoch"] == tiny.optimiser.epochs - 1


@pytest.mark.slow
@pytest.mark.timeout(600)  # torch and Lightning are imported twice, which on a busy machine takes minutes
def test_fit__two_processes_share_the_work_and_leave_one_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "phantoms"
    list(write_phantoms(folder, count=60, seed=3))
    given = ["--data", str(folder), "--config", "debug", "--store", str(tmp_path / "store"), "--folds", "3"]
    run = subprocess.run(
        [sys.executable, "-m", "training", "fit", *given, "--devices", "2"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    (last,) = (tmp_path / "store" / "runs").rglob("last.ckpt")
    checkpoint = torch.load(last, weights_only=False)
    cases = [case for case in read_collection(folder, folds=3).cases if case.fold == 2]
    each = math.ceil(len(cases) / 2)
    steps = each // min(16, each)
    assert checkpoint["global_step"] == 2 * steps


def test_fit__moves_the_average_with_the_network(unbroken: Path) -> None:
    state = _weights(unbroken)
    name = "encoder.diagnosis.weight"
    assert not torch.equal(state[f"averaged.{name}"], state[f"network.{name}"])


def test_fit__resumed_after_a_cut_gives_what_the_unbroken_run_gave(
    unbroken: Path, collection_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.fit import guided_module

    step = guided_module.GuidedTraining.training_step

    def cut(self: guided_module.GuidedTraining, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        if self.current_epoch == 1 and number == 1:
            raise KeyboardInterrupt  # as near to kill -9 as one process can come: nothing more is saved
        return step(self, batch, number)

    with monkeypatch.context() as patched:
        patched.setattr(guided_module.GuidedTraining, "training_step", cut)
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


def test_fit__refuses_to_resume_a_run_on_other_folds(collection_folder: Path, tiny: Config, tmp_path: Path) -> None:
    def module(folds: tuple[int, ...]) -> GuidedTraining:
        config = replace(tiny, data=replace(tiny.data, train_folds=folds))
        return module_for(config, Collection(collection_folder, tmp_path, config.data, config.seed))

    begun: dict[str, Any] = {}
    module((3, 4)).on_save_checkpoint(begun)
    with pytest.raises(BadInput, match=r"begun with data.train_folds '3 4' and is now to go on with '2 3'"):
        module((2, 3)).on_load_checkpoint(begun)
    module((3, 4)).on_load_checkpoint(begun)


def test_named__says_which_configurations_there_are() -> None:
    with pytest.raises(BadInput, match="debug, guided"):
        named("best")


@pytest.mark.parametrize("name", list(CONFIGS))
def test_flat__holds_every_choice(name: str) -> None:
    flat = named(name).flat()
    assert flat["name"] == name
    assert flat["data.train_folds"] == "2 3 4"
    assert all(isinstance(value, str | int | float | bool) for value in flat.values())
