"""The whole recipe from images to the bundle that ships, step by step; an interrupted run resumes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from casekin.atomic_files import write_durably
from casekin.bundle import MANIFEST, read_manifest, sha256_of
from training.config.generator import GeneratorConfig
from training.config.guided import Config, on_split
from training.data.attribute_images import read_attribute_images
from training.data.collection import NO_OTHERS, Collection, OtherImages
from training.export.bundle import export
from training.export.renew_card import renew_card
from training.fit.allocator import keep_freed_memory
from training.fit.batchnorm import recompute_batchnorm
from training.fit.feature_pca import ATTRIBUTES, SEPARATOR, CondenseConfig, condense
from training.fit.finetune import PolishConfig, polish
from training.fit.fit import Trained, load_trained, save_trained
from training.fit.generator import State, fit_generator
from training.fit.generator_moves import Coordinates
from training.fit.model_soup import fit_all
from training.latent_space.held_out import HeldOutCalibration, read_proof
from training.latent_space.study import Study, load_study

log = logging.getLogger(__name__)
PROOF_SUFFIX = "-proof"
EXPORTED = "exported.sha256"
"""Beside a checkpoint: the hash of the manifest that it was exported to."""


@dataclass(frozen=True)
class Places:
    """Folders that a recipe reads and writes."""

    data: Path
    """Folder of the collection."""
    store: Path
    """Folder of runs and decoded images."""
    bundles: Path
    """Folder of the bundles `proof` and `default`."""
    others: OtherImages = NO_OTHERS
    """Folders that are trained on as well; dimensions are named after attributes that their tables give."""


def polish_checkpoint(
    config: Config,
    checkpoint: Path,
    data: Path,
    cache: Path,
    condensing: CondenseConfig,
    polishing: PolishConfig,
    attributes: Sequence[Path] = (),
) -> Path:
    """Settle the backbone, condense its features to the latent that ships, train appearance and decoder for it.

    The attributes that the tables of the folders `attributes` name get a dimension each. Returns `polished.ckpt` beside
    the checkpoint.
    """
    keep_freed_memory()
    collection = Collection(data, cache, config.data, config.seed)
    described = read_attribute_images(attributes, collection.spec, cache)
    seen = described and described.learnable(config.data.train_folds)
    trained = load_trained(checkpoint)
    recomputed = recompute_batchnorm(trained.network, collection, config.augment)
    condensed = condense(recomputed, collection, condensing, config.augment, attributes=seen)
    # Images with an upright orientation have one view, whatever the setting.
    applied = replace(condensing, mirrored=condensed.config.mirrored)
    network = polish(condensed, collection, polishing)
    target = checkpoint.with_name("polished.ckpt")
    appended = {ATTRIBUTES: SEPARATOR.join(seen.names)} if seen else {}
    save_trained(Trained(network, trained.recipe | applied.flat() | appended | polishing.flat()), target)
    return target


def generator_checkpoint(
    config: Config,
    polished: Path,
    data: Path,
    cache: Path,
    training: GeneratorConfig,
    proven: HeldOutCalibration | None = None,
    attributes: Sequence[Path] = (),
) -> Path:
    """Train the generator for a polished checkpoint; returns `generator.ckpt` beside it.

    An interrupted training goes on from `generator-state.ckpt`. The axes of the latent depend on the folders
    `attributes`, as in `polish_checkpoint`, and for a run on all folds on the calibration of its proof.
    """
    study = load_study(config, polished, data, cache, proven=proven, attributes=attributes)
    state = State(polished.with_name("generator-state.ckpt"), sha256_of(polished))
    network = fit_generator(study.network, study.collection, coordinates_of(study), training, state, config.seed)
    recipe = load_trained(polished).recipe
    target = polished.with_name("generator.ckpt")
    save_trained(Trained(network, recipe | training.flat()), target)
    return target


def coordinates_of(study: Study) -> Coordinates:
    """Return the exported latent as the generator's training needs it."""
    return Coordinates.of(
        study.axes.centre,
        study.axes.matrix,
        study.mean,
        study.std,
        study.clinical_weights,
        study.latents[study.rows(study.folds.train)],
        study.model.diagnosis_dimensions,
    )


def run_recipe(config: Config, places: Places, version: str = "") -> None:
    """Train the proof of the recipe, measured on fold 0, then what ships on all folds; write a bundle of each.

    The proof's version ends in `-proof`; both are named by their content where no `version` is given.
    """
    proof = places.bundles / "proof"
    _export(config, "prove", places, proof, version, None)
    _export(config, "ship", places, places.bundles / "default", version, proof)


def _export(config: Config, split: str, places: Places, target: Path, version: str, proof: Path | None) -> None:
    chosen, cache = on_split(config, split), places.store / "pixels"
    checkpoint = fit_all(chosen, places.data, places.store / "runs", cache, others=places.others)
    polished = checkpoint.with_name("polished.ckpt")
    if not polished.exists() or polished.stat().st_mtime < checkpoint.stat().st_mtime:
        polish_checkpoint(
            chosen, checkpoint, places.data, cache, CondenseConfig(), PolishConfig(), places.others.further
        )
    proven = read_proof(proof) if proof else None
    drawing = checkpoint.with_name("generator.ckpt")
    if not drawing.exists() or drawing.stat().st_mtime < polished.stat().st_mtime:
        training, attributes = chosen.generator, places.others.further
        generator_checkpoint(chosen, polished, places.data, cache, training, proven, attributes)
    stamp = checkpoint.with_name(EXPORTED)
    if _is_exported(stamp, drawing, target, version, proof):
        log.info("%s holds the bundle of %s already", target, drawing)
        return
    log.info("exporting %s to %s", drawing, target)
    study = load_study(chosen, drawing, places.data, cache, proven=proven, attributes=places.others.further)
    export(study, target, version, suffix="" if proof else PROOF_SUFFIX)
    if proof is None and places.others.further:
        # Their test folds are queries too; the bundle that ships takes the figures from the proof.
        source, folds = study.collection.source, config.data.folds
        renew_card(target, target, source, places.store, clinics=places.others.further, folds=folds)
    write_durably(stamp, sha256_of(target / MANIFEST).encode())


def _is_exported(stamp: Path, trained: Path, target: Path, version: str, proof: Path | None) -> bool:
    """Return whether `target` holds what an earlier run exported from these very files under this version.

    To export them again could choose the other of float and int8 encoder, by its timing: another model, which must not
    have the same version.
    """
    if not stamp.exists() or not (target / MANIFEST).exists():
        return False
    sources = [trained, *([proof / MANIFEST] if proof else [])]
    if any(stamp.stat().st_mtime < source.stat().st_mtime for source in sources):
        return False
    named = read_manifest(target).version.removesuffix(PROOF_SUFFIX)
    return stamp.read_text() == sha256_of(target / MANIFEST) and version in {"", named}
