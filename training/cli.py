"""The command `casekin-train`: fit, evaluate, export."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from training.config import Config, named
from training.fitting import Trained, default_cache, fit, load_study, save_trained
from training.polishing import PolishConfig, polish

app = typer.Typer(help="Trains the VAE, measures it, and writes the bundle that is served.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option(help="Folder with the HAM10000 download and folds.csv.", file_okay=False, exists=True)
]
Name = Annotated[str, typer.Option(help="Configuration: debug, coarse, guided.")]
Store = Annotated[Path | None, typer.Option(help="Folder for runs and decoded images; default in ~/.cache.")]


@app.command("fit")
def fit_command(
    data: Data,
    config: Name = "guided",
    store: Store = None,
    initial: Annotated[Path | None, typer.Option(help="Checkpoint of another run whose weights to begin with.")] = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
) -> None:
    """Train, or go on with a run that was cut off; prints the checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    root = store or default_cache()
    typer.echo(fit(_chosen(config, epochs), data, root / "runs", root / "pixels", initial, limit))


@app.command("polish")
def polish_command(
    data: Data,
    checkpoint: Path,
    config: Name = "guided",
    store: Store = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = PolishConfig.epochs,
    dimensions: Annotated[int | None, typer.Option(help="Appearance dimensions to start anew with.")] = None,
) -> None:
    """Train appearance and decoder on beside a backbone that stays; writes and prints `polished.ckpt`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    study = load_study(named(config), checkpoint, data, (store or default_cache()) / "pixels")
    chosen = PolishConfig(epochs=epochs)
    polished = polish(study.network, study.collection, chosen, dimensions)
    story = {f"polish.{name}": value for name, value in asdict(chosen).items()} | {"polish.dimensions": dimensions}
    target = checkpoint.with_name("polished.ckpt")
    save_trained(Trained(polished, study.recipe | story), target)
    typer.echo(target)


@app.command("evaluate")
def evaluate_command(
    data: Data,
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle to measure.", file_okay=False, exists=True)],
    target: Annotated[Path, typer.Option(help="Folder for the record and the pages, outside of the project.")],
    fold: Annotated[
        list[int] | None, typer.Option(help="Folds of the queries; the others are found. Default 0.")
    ] = None,
    store: Store = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases.")] = None,
) -> None:
    """Measure a bundle; writes evaluation.json, index.html and pairs.html (images of the data set) to a folder."""
    from training.evaluation.command import write_evaluation  # noqa: PLC0415  plots take a second to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    evaluation = write_evaluation(bundle, data, target, store or default_cache(), tuple(fold or [0]), limit)
    for warning in evaluation.warnings:
        typer.secho(f"WARNING: {warning}", fg=typer.colors.RED, bold=True, err=True)
    typer.echo(target / "index.html")


@app.command()
def export(
    data: Data,
    checkpoint: Path,
    target: Annotated[Path, typer.Option(help="Folder of the bundle.")] = Path("bundles/default"),
    version: Annotated[str, typer.Option(help="Of the bundle; names the index collection too.")] = "ham10000-2026.11.1",
    config: Name = "guided",
    store: Store = None,
) -> None:
    """Write the bundle of a checkpoint, with its figures; prints them as JSON."""
    from training.export import export as write  # noqa: PLC0415  ONNX takes seconds to import

    study = load_study(named(config), checkpoint, data, (store or default_cache()) / "pixels")
    manifest = write(study, target, version)
    typer.echo(json.dumps(manifest.metrics, indent=1))


def _chosen(name: str, epochs: int | None) -> Config:
    config = named(name)
    return config if epochs is None else replace(config, optimiser=replace(config.optimiser, epochs=epochs))
