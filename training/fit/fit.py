"""Train the guided VAE, resuming an interrupted run."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from casekin.atomic_files import stream_durably
from training.config.baselines import HardwareConfig
from training.config.guided import Config, ModelConfig, Scalar
from training.data.collection import NO_OTHERS, Collection, OtherImages
from training.fit.allocator import keep_freed_memory
from training.fit.guided_module import GuidedTraining
from training.fit.tensorboard_images import Pictured
from training.fit.trainer import stopping, trainer_for
from training.models.guided_vae import GuidedVAE
from training.models.pca import begin_with_components

FURTHER = "data.further"
"""Prefix of the entries of a recipe that describe the further collections, by number."""
SHOWN = 8
"""Validation images whose reconstructions TensorBoard shows."""


def default_cache() -> Path:
    """Return the folder of decoded images and runs, outside of the repository as they may not be shared."""
    return Path(os.environ.get("CASEKIN_TRAINING_DIR", Path.home() / ".cache" / "casekin" / "training"))


def fit(
    config: Config,
    folder: Path,
    runs: Path,
    cache: Path,
    initial: Path | None = None,
    limit: int | None = None,
    others: OtherImages = NO_OTHERS,
) -> Path:
    """Train and return the last checkpoint; an interrupted run resumes after its last whole epoch.

    `initial` is a checkpoint of another run to start from; `limit` takes only so many cases; `others` are trained on
    beside the collection.
    """
    keep_freed_memory()
    torch.set_num_threads(config.optimiser.threads)
    lightning.seed_everything(config.start_seed)
    collection = Collection(folder, cache, config.data, config.seed, limit, others)
    module = module_for(config, collection)
    module.recipe |= others.flat() | further_recipe(collection.further_notes)
    target = runs / config.name
    last = target / "last.ckpt"
    if initial is None and not last.exists():
        begin_with_components(module.network, collection.sample())
        module.averaged.load_state_dict(module.network.state_dict())
    if initial is not None and not last.exists():
        start = load_trained(initial)
        module.start_from(start.network)
        module.recipe |= {f"initial.{name}": value for name, value in start.recipe.items()}
    trainer = _trainer(module, collection, target)
    trainer.fit(module, datamodule=collection, ckpt_path=last if last.exists() else None, weights_only=False)
    return last


def further_recipe(notes: Sequence[str]) -> dict[str, Scalar]:
    """Return the entries of a recipe that name the further collections behind it, for the model card."""
    return {f"{FURTHER}.{number}": note for number, note in enumerate(notes, 1)}


def module_for(config: Config, collection: Collection) -> GuidedTraining:
    """Return an untrained module that fits the collection."""
    return GuidedTraining(config, collection)


def _trainer(module: GuidedTraining, collection: Collection, target: Path) -> lightning.Trainer:
    chosen = module.config.optimiser
    return trainer_for(
        target,
        chosen.epochs,
        HardwareConfig(chosen.accelerator, chosen.devices, chosen.precision, chosen.threads),
        chosen.clip,
        chosen.validate_every,
        callbacks=_callbacks(module, collection),
        share_batches=False,
    )


def _callbacks(module: GuidedTraining, collection: Collection) -> list[Callback]:
    """Return callbacks that draw for TensorBoard and stop early, where there are validation folds."""
    if not collection.validation_positions:
        return []
    shown = torch.from_numpy(collection.pixels[collection.validation_positions[:SHOWN]]).permute(0, 3, 1, 2)
    network = module.averaged
    pictured = Pictured(shown / 255, lambda images: network.encoder(images).mean, network.decoder)
    return [pictured, *stopping("validation/p_at_1_macro", module.config.optimiser.patience)]


@dataclass(frozen=True)
class Trained:
    """A network with the recipe of its weights."""

    network: GuidedVAE
    recipe: dict[str, Scalar]
    """Each setting of its training by name; those of the run that it started from under `initial.`."""


def load_trained(checkpoint: Path) -> Trained:
    """Return the averaged network of a checkpoint, of the shape that the checkpoint names, ready to measure."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    prefix = "averaged."
    state = {n.removeprefix(prefix): v for n, v in content["state_dict"].items() if n.startswith(prefix)}
    # What a checkpoint holds replaces the ImageNet weights anyway.
    network = GuidedVAE(ModelConfig(**content["model"] | {"pretrained": False}), len(state["head.bias"]))
    network.load_state_dict(state)
    return Trained(network.to(memory_format=torch.channels_last).eval(), content["recipe"])  # type: ignore[call-overload]


def save_trained(trained: Trained, path: Path) -> None:
    """Write a network in the form that `load_trained` reads."""
    network = trained.network
    state = {f"averaged.{name}": value for name, value in network.state_dict().items()}
    content = {"state_dict": state, "model": asdict(network.config), "recipe": trained.recipe}
    stream_durably(path, lambda stream: torch.save(content, stream))
