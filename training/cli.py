"""The command `casekin-train`: fit, measure, export."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from casekin.collections import built_in_names
from casekin.errors import BadInput, CasekinError
from training.config.baselines import FAMILY, FamilyConfig, is_member, member
from training.config.guided import CONFIGS, Config, named, on_split
from training.data.cases import read_collection
from training.data.phantoms import WORD as PHANTOMS
from training.data.phantoms import phantom_collection
from training.fit.feature_pca import CondenseConfig
from training.fit.finetune import PolishConfig
from training.fit.fit import default_cache, load_study
from training.fit.model_soup import fit_all
from training.latent_space.held_out import held_by
from training.vae_baselines.fit import fit_member
from training.vae_baselines.measure import measure_members


class Told(TyperGroup):
    """Says what is wrong with what was given in one line, without a trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; leave with status 1 where the input is at fault."""
        try:
            return super().invoke(ctx)
        except CasekinError as error:
            typer.echo(f"casekin-train: {error.detail}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Told, help="Trains the VAE, measures it, and writes the bundle that is served.", no_args_is_help=True
)


def folder(given: str) -> Path:
    """Return the folder of that name, or one with phantoms, drawn now if they are not there yet."""
    if given.partition(":")[0] == PHANTOMS and not Path(given).is_dir():
        return phantom_collection(given, default_cache())
    if not Path(given).is_dir():
        raise BadInput(f"{given!r} is no folder; name one with a collection, or {PHANTOMS}")
    return Path(given)


MEMBERS = f"{', '.join(FAMILY)}; or debug- and its name"
COLLECTION = f"Folder with images and a table, maybe folds.csv; or {PHANTOMS}, {PHANTOMS}:COUNT."
Data = Annotated[Path, typer.Option(metavar="DIR", parser=folder, help=COLLECTION)]
Reading = Annotated[
    str,
    typer.Option(
        "--mapping",
        help=f"How to read it: {', '.join(built_in_names())}, or a TOML file; default: the folder's collection.toml, "
        "or known by its columns.",
    ),
]
Folds = Annotated[
    int, typer.Option("--folds", min=3, help="Into how many a hash divides lesions, where no folds.csv does.")
]
Name = Annotated[str, typer.Option(help=f"Configuration: {', '.join(CONFIGS)}.")]
Split = Annotated[str, typer.Option(help="Folds: choose (from 2 on, 1 validates), prove (from 1 on), ship (all).")]
Store = Annotated[Path | None, typer.Option(help="Folder for runs and decoded images; default in ~/.cache.")]


@app.command("fit")
def fit_command(
    data: Annotated[str, typer.Option(metavar="DIR", help=f"{COLLECTION} Members of the family also take sprites.")],
    config: Annotated[str, typer.Option(help=f"{', '.join(CONFIGS)}; of the family {MEMBERS}.")] = "guided",
    split: Split = "choose",
    store: Store = None,
    initial: Annotated[
        Path | None, typer.Option(help="Checkpoint of another run to begin with; not of the family.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases; not of the family.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's; one run, without a soup.")] = None,
    devices: Annotated[int, typer.Option(help="GPUs, or processes on a CPU, to share the work.")] = 1,
    mapping: Reading = "",
    folds: Folds = 5,
) -> None:
    """Train, or go on with a run that was cut off; prints the checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    root = store or default_cache()
    runs, pixels = root / "runs", root / "pixels"
    if is_member(config):
        refused = {
            "--initial": initial,
            "--limit": limit,
            "--mapping": mapping or None,
            "--folds": None if folds == 5 else folds,
        }
        _refuse(refused, f"a member of the family such as {config}")
        typer.echo(fit_member(_chosen_member(config, epochs, devices), data, runs, pixels))
    else:
        chosen = _trained(_chosen(config, split, mapping, folds), epochs, devices)
        typer.echo(fit_all(chosen, folder(data), runs, pixels, initial, limit))


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
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = PolishConfig.epochs,
) -> None:
    """Condense the features to the latent that ships, then train appearance and decoder; prints `polished.ckpt`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from training.recipe import polish_checkpoint  # noqa: PLC0415  ONNX takes seconds to import

    setting, cache = _chosen(config, split, mapping, folds), (store or default_cache()) / "pixels"
    typer.echo(polish_checkpoint(setting, checkpoint, data, cache, CondenseConfig(), PolishConfig(epochs=epochs)))


@app.command()
def recipe(
    data: Data,
    bundles: Annotated[Path, typer.Option(help="Folder of the bundles `proof` and `default`.")] = Path("bundles"),
    version: Annotated[str, typer.Option(help="Of the bundle; names the index collection too.")] = "ham10000-2026.11.5",
    config: Name = "guided",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
) -> None:
    """Do all: prove the recipe on fold 0, then train what ships on all folds; goes on where it was cut off."""
    from training.recipe import Places, follow  # noqa: PLC0415  ONNX takes seconds to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    setting = _read_as(named(config), mapping, folds)
    follow(setting, Places(data, store or default_cache(), bundles), version)


@app.command("evaluate")
def evaluate_command(
    data: Data,
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle to measure.", file_okay=False, exists=True)],
    target: Annotated[Path, typer.Option(help="Folder for the record and the pages, outside of the project.")],
    fold: Annotated[
        list[int] | None, typer.Option(help="Folds of the queries; the others are found. Default 0.")
    ] = None,
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases.")] = None,
) -> None:
    """Measure a bundle; writes evaluation.json, index.html and pairs.html (images of the data set) to a folder."""
    from training.evaluation.report.command import write_evaluation  # noqa: PLC0415  plots take a second to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    collection = read_collection(data, mapping, folds)
    evaluation = write_evaluation(bundle, collection, target, store or default_cache(), tuple(fold or [0]), limit)
    for warning in evaluation.warnings:
        typer.secho(f"WARNING: {warning}", fg=typer.colors.RED, bold=True, err=True)
    typer.echo(target / "index.html")


@app.command()
def export(
    data: Data,
    checkpoint: Path,
    target: Annotated[Path, typer.Option(help="Folder of the bundle.")] = Path("bundles/default"),
    version: Annotated[str, typer.Option(help="Of the bundle; names the index collection too.")] = "ham10000-2026.11.5",
    config: Name = "guided",
    split: Split = "choose",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    proof: Annotated[
        Path | None, typer.Option(help="Bundle of the split `prove`, to calibrate one of the split `ship` by.")
    ] = None,
) -> None:
    """Write the bundle of a checkpoint, with its figures or those of its proof; prints them as JSON."""
    from training.export.bundle import export as write  # noqa: PLC0415  ONNX takes seconds to import

    held = held_by(proof) if proof else None
    chosen = _chosen(config, split, mapping, folds)
    study = load_study(chosen, checkpoint, data, (store or default_cache()) / "pixels", held=held)
    manifest = write(study, target, version)
    typer.echo(json.dumps(manifest.metrics, indent=1))


@app.command("calibrate")
def calibrate_command(
    data: Data,
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", file_okay=False, exists=True)],
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
) -> None:
    """Learn anew what a bundle's distances and votes mean, by the folds its training held back; no index changes."""
    from training.latent_space.recalibrate import recalibrate  # noqa: PLC0415  ONNX takes seconds to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    manifest = recalibrate(bundle, read_collection(data, mapping, folds), store or default_cache())
    typer.echo(manifest.neighbours.model_dump_json(indent=1) if manifest.neighbours else "")


def _refuse(options: Mapping[str, object], of: str) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise typer.BadParameter(f"{' and '.join(given)} cannot be used with {of}; leave it out")


def _chosen_member(name: str, epochs: int | None, devices: int) -> FamilyConfig:
    config = member(name)
    schedule = config.schedule if epochs is None else replace(config.schedule, epochs=epochs)
    return replace(config, schedule=schedule, hardware=replace(config.hardware, devices=devices))


def _chosen(name: str, split: str, mapping: str, folds: int) -> Config:
    return on_split(_read_as(named(name), mapping, folds), split)


def _read_as(config: Config, mapping: str, folds: int) -> Config:
    return replace(config, data=replace(config.data, mapping=mapping, folds=folds))


def _trained(config: Config, epochs: int | None, devices: int) -> Config:
    optimiser = replace(config.optimiser, epochs=epochs or config.optimiser.epochs, devices=devices)
    return replace(config, optimiser=optimiser, soup=() if epochs else config.soup)
