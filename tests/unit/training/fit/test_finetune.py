from pathlib import Path

import torch

from training.config.guided import Config
from training.data.collection import Collection
from training.fit.finetune import PolishConfig, polish
from training.fit.fit import Trained, load_trained, module_for, save_trained
from training.latent_space.embed import encode, reconstruct


def test_polish__betters_the_reconstruction_and_leaves_the_latent(
    collection: Collection, tiny: Config, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    before = module_for(tiny, collection).averaged.eval()
    after = polish(before, collection, PolishConfig(epochs=30, batch_size=12, rate=0.01))
    encoded, again = encode(before, collection), encode(after, collection)
    guided = tiny.model.diagnosis_dimensions
    assert (encoded.means[:, :guided] == again.means[:, :guided]).all()
    rows = torch.arange(len(encoded.positions)).numpy()
    error = reconstruct(before, collection, encoded, rows).squared_error.mean()
    assert reconstruct(after, collection, again, rows).squared_error.mean() < 0.8 * error
    save_trained(Trained(after, {"epochs": 30}), tmp_path / "polished.ckpt")
    loaded = load_trained(tmp_path / "polished.ckpt")
    assert all(torch.equal(a, b) for a, b in zip(loaded.network.parameters(), after.parameters(), strict=True))
    assert loaded.recipe == {"epochs": 30}
    assert list(tmp_path.glob("*.partial")) == []
