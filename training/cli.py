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
from training.data.collection import OtherImages
from training.data.phantoms import WORD as PHANTOMS
from training.data.phantoms import phantom_collection
from training.fit.feature_pca import CondenseConfig
from training.fit.finetune import PolishConfig
from training.fit.fit import default_cache
from training.fit.model_soup import fit_all
from training.latent_space.held_out import read_proof
from training.latent_space.study import load_study
from training.vae_baselines.fit import fit_member
from training.vae_baselines.measure import measure_members


class OneLineErrors(TyperGroup):
    """Report bad input in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with status 1 for bad input."""
        try:
            return super().invoke(ctx)
        except CasekinError as error:
            typer.echo(f"casekin-train: {error.detail}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=OneLineErrors, help="Trains the VAE, measures it, and writes the bundle that is served.", no_args_is_help=True
)


def folder(given: str) -> Path:
    """Return the folder of that name, or one with phantoms, which the first call draws."""
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
        help=f"Description of the collection: {', '.join(built_in_names())}, or a TOML file; default: the folder's "
        "collection.toml, or recognised by its columns.",
    ),
]
Folds = Annotated[int, typer.Option("--folds", min=3, help="Number of folds when there is no folds.csv.")]
Name = Annotated[str, typer.Option(help=f"Configuration: {', '.join(CONFIGS)}.")]
Split = Annotated[
    str, typer.Option(help="Folds: prove (trains from 2 on, chooses on 1, reports 0), ship (trains on all).")
]
Version = Annotated[
    str,
    typer.Option(
        help="Name of the bundle and of its index; default: the collection, the date and a hash of the content."
    ),
]
Copies = Annotated[
    list[Path] | None,
    typer.Option(
        "--copies", metavar="DIR", file_okay=False, exists=True, help="The same images at another size; repeat."
    ),
]
Further = Annotated[
    list[Path] | None,
    typer.Option(
        "--further",
        metavar="DIR",
        file_okay=False,
        exists=True,
        help="Collection of another clinic to train on; repeat.",
    ),
]
Attributes = Annotated[
    list[Path] | None,
    typer.Option(
        "--attributes",
        metavar="DIR",
        file_okay=False,
        exists=True,
        help="Collection whose table says which visual attributes its images show (ISIC 2018 task 2); repeat.",
    ),
]
Store = Annotated[Path | None, typer.Option(help="Folder for runs and decoded images; default in ~/.cache.")]


@app.command("fit")
def fit_command(
    data: Annotated[str, typer.Option(metavar="DIR", help=f"{COLLECTION} Members of the family also take sprites.")],
    config: Annotated[str, typer.Option(help=f"{', '.join(CONFIGS)}; of the family {MEMBERS}.")] = "guided",
    split: Split = "prove",
    store: Store = None,
    initial: Annotated[
        Path | None, typer.Option(help="Checkpoint of another run to start from; not for the family.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take only so many cases; not of the family.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's; one run, without a soup.")] = None,
    devices: Annotated[int, typer.Option(help="GPUs, or processes on a CPU, to share the work.")] = 1,
    mapping: Reading = "",
    folds: Folds = 5,
    copies: Copies = None,
    further: Further = None,
) -> None:
    """Train, or resume an interrupted run; prints the checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    root = store or default_cache()
    runs, pixels = root / "runs", root / "pixels"
    if is_member(config):
        refused = {
            "--initial": initial,
            "--limit": limit,
            "--mapping": mapping or None,
            "--folds": None if folds == 5 else folds,
            "--copies": copies,
            "--further": further,
        }
        _refuse(refused, f"a member of the family such as {config}")
        typer.echo(fit_member(_member_config(config, epochs, devices), data, runs, pixels))
    else:
        chosen = _with_schedule(_config(config, split, mapping, folds), epochs, devices)
        typer.echo(fit_all(chosen, folder(data), runs, pixels, initial, limit, _others(copies, further)))


@app.command()
def disentanglement(
    data: Annotated[str, typer.Option(help="`sprites` or `phantoms`; or a folder, for UDR only.")],
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Members of the family; several of one recipe also give UDR.")
    ],
    store: Store = None,
) -> None:
    """Print disentanglement measures of each checkpoint as JSON."""
    found = measure_members(checkpoints, data, (store or default_cache()) / "pixels")
    typer.echo(json.dumps(found, indent=1))


@app.command("polish")
def polish_command(
    data: Data,
    checkpoint: Path,
    config: Name = "guided",
    split: Split = "prove",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = PolishConfig.epochs,
    attributes: Attributes = None,
) -> None:
    """Condense the features to the latent that ships, then train appearance and decoder; prints `polished.ckpt`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from training.recipe import polish_checkpoint  # noqa: PLC0415  ONNX takes seconds to import

    setting, cache = _config(config, split, mapping, folds), (store or default_cache()) / "pixels"
    polishing = PolishConfig(epochs=epochs)
    typer.echo(polish_checkpoint(setting, checkpoint, data, cache, CondenseConfig(), polishing, attributes or ()))


@app.command("generator")
def generator_command(
    data: Data,
    polished: Annotated[Path, typer.Argument(help="`polished.ckpt`, as `polish` prints it.", exists=True)],
    config: Name = "guided",
    split: Split = "prove",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    proof: Annotated[
        Path | None, typer.Option(help="Bundle of the split `prove`, whose axes one of the split `ship` takes.")
    ] = None,
    attributes: Attributes = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Batches, instead of the configuration's.")] = None,
) -> None:
    """Train the generator that draws the ranking dimensions, or resume; prints `generator.ckpt`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from training.recipe import generator_checkpoint  # noqa: PLC0415  ONNX takes seconds to import

    setting, cache = _config(config, split, mapping, folds), (store or default_cache()) / "pixels"
    training = setting.generator if steps is None else replace(setting.generator, steps=steps)
    proven = read_proof(proof) if proof else None
    typer.echo(generator_checkpoint(setting, polished, data, cache, training, proven, attributes or ()))


@app.command()
def recipe(
    data: Data,
    bundles: Annotated[Path, typer.Option(help="Folder of the bundles `proof` and `default`.")] = Path("bundles"),
    version: Version = "",
    config: Name = "guided",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    copies: Copies = None,
    further: Further = None,
) -> None:
    """Prove the recipe on fold 0, then train on all folds what ships; an interrupted run resumes."""
    from training.recipe import Places, run_recipe  # noqa: PLC0415  ONNX takes seconds to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    setting = _with_data(named(config), mapping, folds)
    run_recipe(setting, Places(data, store or default_cache(), bundles, _others(copies, further)), version)


@app.command("evaluate")
def evaluate_command(
    data: Data,
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle to measure.", file_okay=False, exists=True)],
    target: Annotated[Path, typer.Option(help="Folder for the record and the pages, outside of the project.")],
    fold: Annotated[
        list[int] | None, typer.Option(help="Folds of the queries; the others are the gallery. Default 0.")
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
    version: Version = "",
    config: Name = "guided",
    split: Split = "prove",
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
    proof: Annotated[
        Path | None, typer.Option(help="Bundle of the split `prove`, whose calibration one of the split `ship` takes.")
    ] = None,
    attributes: Attributes = None,
) -> None:
    """Write the bundle of a checkpoint, with its figures or those of its proof; prints version and figures as JSON."""
    from training.export.bundle import export as write  # noqa: PLC0415  ONNX takes seconds to import

    proven = read_proof(proof) if proof else None
    chosen = _config(config, split, mapping, folds)
    pixels = (store or default_cache()) / "pixels"
    study = load_study(chosen, checkpoint, data, pixels, proven=proven, attributes=attributes or ())
    manifest = write(study, target, version)
    typer.echo(json.dumps({"version": manifest.version} | manifest.metrics, indent=1))


@app.command("card")
def card_command(
    data: Data,
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", file_okay=False, exists=True)],
    proof: Annotated[
        Path | None, typer.Option(help="Bundle that was measured for it, where its own training held out no fold.")
    ] = None,
    clinic: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another clinic's collection, for its own line in the card; may be repeated."),
    ] = None,
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
) -> None:
    """Measure a bundle again on its test folds and rewrite its model card; its manifest and graphs stay."""
    from training.export.renew_card import renew_card  # noqa: PLC0415  ONNX takes seconds to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    collection = read_collection(data, mapping, folds)
    typer.echo(renew_card(bundle, proof or bundle, collection, store or default_cache(), clinic or (), folds))


@app.command("calibrate")
def calibrate_command(
    data: Data,
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", file_okay=False, exists=True)],
    proof: Annotated[
        Path | None, typer.Option(help="Bundle that is measured for it, where its own training held out no fold.")
    ] = None,
    mapping: Reading = "",
    folds: Folds = 5,
    store: Store = None,
) -> None:
    """Recalibrate a bundle's similarity and votes on the folds its training held out; no index changes."""
    from training.latent_space.recalibrate import recalibrate  # noqa: PLC0415  ONNX takes seconds to import

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    manifest = recalibrate(bundle, read_collection(data, mapping, folds), store or default_cache(), proof)
    typer.echo(manifest.neighbours.model_dump_json(indent=1) if manifest.neighbours else "")


def _others(copies: list[Path] | None, further: list[Path] | None) -> OtherImages:
    return OtherImages(tuple(copies or ()), tuple(further or ()))


def _refuse(options: Mapping[str, object], of: str) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise typer.BadParameter(f"{' and '.join(given)} cannot be used with {of}; leave it out")


def _member_config(name: str, epochs: int | None, devices: int) -> FamilyConfig:
    config = member(name)
    schedule = config.schedule if epochs is None else replace(config.schedule, epochs=epochs)
    return replace(config, schedule=schedule, hardware=replace(config.hardware, devices=devices))


def _config(name: str, split: str, mapping: str, folds: int) -> Config:
    return on_split(_with_data(named(name), mapping, folds), split)


def _with_data(config: Config, mapping: str, folds: int) -> Config:
    return replace(config, data=replace(config.data, mapping=mapping, folds=folds))


def _with_schedule(config: Config, epochs: int | None, devices: int) -> Config:
    optimiser = replace(config.optimiser, epochs=epochs or config.optimiser.epochs, devices=devices)
    return replace(config, optimiser=optimiser, soup=() if epochs else config.soup)
