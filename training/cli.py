"""The command `casekin-train`: fit, evaluate, export."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from casekin.bundle import read_manifest
from training.config import Config, named, on_split
from training.data import Collection
from training.fitting import Trained, default_cache, fit, load_study, load_trained, save_trained
from training.held import held_by
from training.polishing import PolishConfig, polish

app = typer.Typer(help="Trains the VAE, measures it, and writes the bundle that is served.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option(help="Folder with the HAM10000 download and folds.csv.", file_okay=False, exists=True)
]
Name = Annotated[str, typer.Option(help="Configuration: debug, coarse, guided.")]
Split = Annotated[str, typer.Option(help="Folds: choose (2 to 4, 1 validates), prove (1 to 4), ship (all).")]
Store = Annotated[Path | None, typer.Option(help="Folder for runs and decoded images; default in ~/.cache.")]


@app.command("fit")
def fit_command(
    data: Data,
    config: Name = "guided",
    split: Split = "choose",
    store: Store = None,
    initial: Annotated[Path | None, typer.Option(help="Checkpoint of another run whose weights to begin with.")] = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
) -> None:
    """Train, or go on with a run that was cut off; prints the checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    root = store or default_cache()
    typer.echo(fit(_chosen(config, split, epochs), data, root / "runs", root / "pixels", initial, limit))


@app.command("polish")
def polish_command(
    data: Data,
    checkpoint: Path,
    config: Name = "guided",
    split: Split = "choose",
    store: Store = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = PolishConfig.epochs,
) -> None:
    """Train appearance and decoder on beside diagnosis dimensions that stay; writes and prints `polished.ckpt`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen, setting = PolishConfig(epochs=epochs), _chosen(config, split)
    collection = Collection(data, (store or default_cache()) / "pixels", setting.data, setting.seed)
    trained = load_trained(checkpoint, len(collection.classes))
    target = checkpoint.with_name("polished.ckpt")
    save_trained(Trained(polish(trained.network, collection, chosen), trained.recipe | chosen.flat()), target)
    typer.echo(target)


@app.command()
def export(
    data: Data,
    checkpoint: Path,
    target: Annotated[Path, typer.Option(help="Folder of the bundle.")] = Path("bundles/default"),
    version: Annotated[str, typer.Option(help="Of the bundle; names the index collection too.")] = "ham10000-2026.11.2",
    config: Name = "guided",
    split: Split = "choose",
    store: Store = None,
    proof: Annotated[
        Path | None, typer.Option(help="Bundle of the split `prove`, to calibrate one of the split `ship` by.")
    ] = None,
) -> None:
    """Write the bundle of a checkpoint, with its figures or those of its proof; prints them as JSON."""
    from training.export import export as write  # noqa: PLC0415  ONNX takes seconds to import

    held = held_by(read_manifest(proof)) if proof else None
    study = load_study(_chosen(config, split), checkpoint, data, (store or default_cache()) / "pixels", held=held)
    manifest = write(study, target, version)
    typer.echo(json.dumps(manifest.metrics, indent=1))


def _chosen(name: str, split: str, epochs: int | None = None) -> Config:
    config = on_split(named(name), split)
    return config if epochs is None else replace(config, optimiser=replace(config.optimiser, epochs=epochs))
