from dataclasses import replace
from pathlib import Path

import torch

from training.config.guided import Config, SoupMember, on_split
from training.data.collection import Collection
from training.fit.fit import load_trained, module_for
from training.fit.model_soup import average, fit_all


def test_average__takes_the_mean_of_the_backbones_and_all_else_from_the_first(
    collection_folder: Path, tiny: Config, tmp_path: Path
) -> None:
    collection = Collection(collection_folder, tmp_path, tiny.data, tiny.seed)
    one, other = (module_for(tiny, collection).averaged for _ in range(2))
    with torch.no_grad():
        for value in [*other.parameters(), *other.buffers()]:
            if value.is_floating_point():
                value.add_(torch.rand_like(value))
    made = average([one, other]).state_dict()
    first, second = one.state_dict(), other.state_dict()
    backbone = [name for name, value in made.items() if "backbone" in name and value.is_floating_point()]
    assert any("running_var" in name for name in backbone)
    for name in backbone:
        torch.testing.assert_close(made[name], (first[name] + second[name]) / 2)
    assert all(torch.equal(made[name], first[name]) for name in made.keys() - set(backbone))


def test_fit_all__trains_each_run_once_and_notes_what_was_averaged(
    collection_folder: Path, tiny: Config, tmp_path: Path
) -> None:
    config = replace(
        on_split(tiny, "prove"),
        soup=(SoupMember("mixed", seed=1, epochs=3, mixed=0.5),),
        loss=replace(tiny.loss, reconstruct_share=0.5),
    )
    given = (config, collection_folder, tmp_path / "runs", tmp_path / "pixels")
    checkpoint = fit_all(*given)
    assert checkpoint == tmp_path / "runs" / "tiny-prove" / "averaged.ckpt"
    made = load_trained(checkpoint)
    assert {name: value for name, value in made.recipe.items() if name.startswith("soup")} == {
        "soup.2.name": "tiny-prove-mixed",
        "soup.2.seed": 1,
        "soup.2.augment.mixed": 0.5,
        "soup.2.optimiser.epochs": 3,
    }
    runs = [load_trained(tmp_path / "runs" / name / "last.ckpt") for name in ("tiny-prove", "tiny-prove-mixed")]
    assert [run.recipe["seed"] for run in runs] == [tiny.seed, 1]
    expected = average([run.network for run in runs]).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in made.network.state_dict().items())
    before = checkpoint.stat().st_mtime_ns
    assert fit_all(*given).stat().st_mtime_ns == before
