"""The command `casekin-train`: fit, measure, export."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from casekin.bundle import read_manifest
from training.config import Config, named, on_split
from training.data import Collection
from training.family import fit_member
from training.fitting import Trained, default_cache, fit, load_study, load_trained, save_trained
from training.held import held_by
from training.measuring import measure_members
from training.members import FAMILY, FamilyConfig, is_member, member
from training.polishing import PolishConfig, polish

app = typer.Typer(help="Trains the VAE, measures it, and writes the bundle that is served.", no_args_is_help=True)

MEMBERS = f"{', '.join(FAMILY)}; or debug- and its name"
Data = Annotated[
    Path, typer.Option(help="Folder with the HAM10000 download and folds.csv.", file_okay=False, exists=True)
]
Name = Annotated[str, typer.Option(help="Configuration: debug, coarse, guided.")]
Split = Annotated[str, typer.Option(help="Folds: choose (2 to 4, 1 validates), prove (1 to 4), ship (all).")]
Store = Annotated[Path | None, typer.Option(help="Folder for runs and decoded images; default in ~/.cache.")]


@app.command("fit")
def fit_command(
    data: Annotated[str, typer.Option(help="As elsewhere; members of the family also take `sprites` and `phantoms`.")],
    config: Annotated[str, typer.Option(help=f"debug, coarse, guided; of the family {MEMBERS}.")] = "guided",
    split: Split = "choose",
    store: Store = None,
    initial: Annotated[
        Path | None, typer.Option(help="Checkpoint of another run to begin with; not of the family.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases; not of the family.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    devices: Annotated[int, typer.Option(help="Processes or GPUs to share the work; of the family only.")] = 1,
) -> None:
    """Train, or go on with a run that was cut off; prints the checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    root = store or default_cache()
    runs, pixels = root / "runs", root / "pixels"
    if is_member(config):
        _refuse({"--initial": initial, "--limit": limit}, f"a member of the family such as {config}")
        typer.echo(fit_member(_chosen_member(config, epochs, devices), data, runs, pixels))
    else:
        _refuse({"--devices": devices if devices > 1 else None}, config)
        typer.echo(fit(_chosen(config, split, epochs), _folder(data), runs, pixels, initial, limit))


@app.command()
def disentanglement(
    data: Annotated[str, typer.Option(help="`sprites` or `phantoms`; or a folder, for UDR alone.")],
    checkpoints: Annotated[list[Path], typer.Argument(help="Of the family; several of one recipe also give UDR.")],
    store: Store = None,
) -> None:
    """Print, for each checkpoint, how far its dimensions stand for one factor each, as JSON."""
    found = measure_members(checkpoints, data, (store or default_cache()) / "pixels")
    typer.echo(json.dumps(found, indent=1))


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


def _refuse(options: Mapping[str, object], of: str) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise typer.BadParameter(f"{' and '.join(given)} cannot be used with {of}; leave it out")


def _folder(data: str) -> Path:
    if not Path(data).is_dir():
        raise typer.BadParameter(f"{data!r} is no folder; name the one with the collection", param_hint="--data")
    return Path(data)


def _chosen_member(name: str, epochs: int | None, devices: int) -> FamilyConfig:
    config = member(name)
    schedule = config.schedule if epochs is None else replace(config.schedule, epochs=epochs)
    return replace(config, schedule=schedule, hardware=replace(config.hardware, devices=devices))


def _chosen(name: str, split: str, epochs: int | None = None) -> Config:
    config = on_split(named(name), split)
    return config if epochs is None else replace(config, optimiser=replace(config.optimiser, epochs=epochs))
