"""Rewrite the model card of a bundle that is there, with its figures measured again."""

from pathlib import Path

from casekin.atomic_files import write_all_durably
from casekin.bundle import read_manifest
from casekin.errors import BadInput
from training.data.cases import LabelledCollection
from training.evaluation.evaluate import gather, measure, rebuilt_by
from training.evaluation.systems import BundleSystem, learned_from, under_presets
from training.export.model_card import model_card
from training.latent_space.held_out import MEASURED, measured_json

CARD = "MODEL_CARD.md"


def renew_card(bundle: Path, proof: Path, collection: LabelledCollection, store: Path) -> str:
    """Measure `proof` with its test folds as queries; write card and `measured.json` of `bundle`, return the card.

    `proof` is the bundle itself, or the one whose figures it shows. Raises `BadInput` where training held out no fold
    of this collection.
    """
    system, manifest = BundleSystem(proof), read_manifest(bundle)
    folds = learned_from(system.provenance).test_folds({case.fold for case in collection.cases})
    if not folds:
        raise BadInput(
            f"bundle {system.name} was trained on all folds of this collection: name the proof of its recipe (--proof)"
        )
    material = gather(system, collection, store, folds)
    presets = under_presets(system, material.latents)
    measured = measure(material.split, presets, rebuilt_by(system, material))
    card = model_card(manifest, collection, measured)
    write_all_durably({bundle / CARD: card.encode(), bundle / MEASURED: measured_json(measured)})
    return card
