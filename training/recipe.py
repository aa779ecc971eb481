"""From images to the bundle that ships: the whole recipe, step by step, each gone on with where it was cut off."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from training.config.guided import Config, on_split
from training.data.collection import Collection
from training.export.bundle import export
from training.fit.allocator import keep_freed_memory
from training.fit.batchnorm import settle
from training.fit.feature_pca import CondenseConfig, condense
from training.fit.finetune import PolishConfig, polish
from training.fit.fit import Trained, load_study, load_trained, save_trained
from training.fit.model_soup import fit_all
from training.latent_space.held_out import Held, held_by

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """Where a recipe reads and writes."""

    data: Path
    """Folder of the collection."""
    store: Path
    """Folder of runs and decoded images."""
    bundles: Path
    """Folder of the bundles `proof` and `default`."""


def polish_checkpoint(
    config: Config, checkpoint: Path, data: Path, cache: Path, condensing: CondenseConfig, polishing: PolishConfig
) -> Path:
    """Settle the backbone, condense its features to the latent that ships, train appearance and decoder for it.

    Returns `polished.ckpt` beside the checkpoint.
    """
    keep_freed_memory()
    collection = Collection(data, cache, config.data, config.seed)
    trained = load_trained(checkpoint, len(collection.classes))
    settled = settle(trained.network, collection, config.augment)
    condensed = condense(settled, collection, condensing, config.augment)
    # Images with an up have one view, whatever was asked for.
    done = replace(condensing, mirrored=condensed.config.mirrored)
    network = polish(condensed, collection, polishing)
    target = checkpoint.with_name("polished.ckpt")
    save_trained(Trained(network, trained.recipe | done.flat() | polishing.flat()), target)
    return target


def follow(config: Config, places: Places, version: str) -> None:
    """Prove the recipe on all folds but the first, then train what ships on all; write a bundle of each.

    The proof's version is that of the bundle with `-proof` behind it.
    """
    proof = places.bundles / "proof"
    _export(config, "prove", places, proof, f"{version}-proof", None)
    _export(config, "ship", places, places.bundles / "default", version, held_by(proof))


def _export(config: Config, split: str, places: Places, target: Path, version: str, held: Held | None) -> None:
    chosen, cache = on_split(config, split), places.store / "pixels"
    checkpoint = fit_all(chosen, places.data, places.store / "runs", cache)
    polished = checkpoint.with_name("polished.ckpt")
    if not polished.exists() or polished.stat().st_mtime < checkpoint.stat().st_mtime:
        polish_checkpoint(chosen, checkpoint, places.data, cache, CondenseConfig(), PolishConfig())
    log.info("exporting %s to %s", polished, target)
    export(load_study(chosen, polished, places.data, cache, held=held), target, version)
