"""Rewrite the model card of a bundle that is there, with its figures measured again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from casekin.atomic_files import write_all_durably
from casekin.bundle import read_manifest
from casekin.errors import BadInput
from training.data.cases import LabelledCollection, read_collection
from training.data.other_clinics import FOLDS, known_spec
from training.evaluation.evaluate import Material, gather, measure, rebuilt_by
from training.evaluation.other_clinics import ClinicFigures, measure_clinic
from training.evaluation.split import Vectors
from training.evaluation.systems import BundleSystem, learned_from, under_presets
from training.export.model_card import model_card
from training.latent_space.held_out import MEASURED, measured_json

CARD = "MODEL_CARD.md"


def renew_card(
    bundle: Path,
    proof: Path,
    collection: LabelledCollection,
    store: Path,
    clinics: Sequence[Path] = (),
    folds: int = FOLDS,
) -> str:
    """Measure `proof` with its test folds as queries; write card and `measured.json` of `bundle`, return the card.

    `proof` is the bundle itself, or the one whose figures it shows. `clinics` are folders of other clinics'
    collections, whose cases of the same folds (of as many as training had, `folds`) are queries too. Raises `BadInput`
    where training held out no fold of this collection.
    """
    system, manifest = BundleSystem(proof), read_manifest(bundle)
    queried = learned_from(system.provenance).test_folds({case.fold for case in collection.cases})
    if not queried:
        raise BadInput(
            f"bundle {system.name} was trained on all folds of this collection: name the proof of its recipe (--proof)"
        )
    material = gather(system, collection, store, queried)
    presets = under_presets(system, material.latents)
    measured = measure(material.split, presets, rebuilt_by(system, material))
    others = [read_collection(folder, known_spec(folder), folds) for folder in clinics]
    measured = replace(measured, other_clinics=_of_clinics(system, material, presets[0], others, store))
    card = model_card(manifest, collection, measured)
    write_all_durably({bundle / CARD: card.encode(), bundle / MEASURED: measured_json(measured)})
    return card


def _of_clinics(
    system: BundleSystem, material: Material, preset: Vectors, clinics: Sequence[LabelledCollection], store: Path
) -> list[ClinicFigures]:
    split = material.split
    gallery = split.labelled(split.gallery, preset.latents)
    return [
        measure_clinic(
            system,
            clinic,
            split.query_folds,
            gallery,
            split.vocabulary,
            preset.weights,
            store,
        )
        for clinic in clinics
    ]
