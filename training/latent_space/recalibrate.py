"""Learns anew what a bundle's distances and votes mean; its graphs stay, and so does every latent in every index."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from casekin.atomic_files import write_durably
from casekin.bundle import MANIFEST, read_manifest
from casekin.contracts.base import Preset
from casekin.contracts.bundle import BundleManifest, CalibrationPoint, NeighbourCalibration
from casekin.errors import BadInput
from training.data.cases import LabelledCollection
from training.data.image_cache import Pixels
from training.evaluation.evaluate import Material, gather
from training.evaluation.reconstruction import quality
from training.evaluation.split import rows_in
from training.evaluation.systems import BundleSystem, learned_from
from training.latent_space.clinical_metric import calibrate
from training.latent_space.vote_calibration import calibrate_neighbours, light_of

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Promises:
    """What serving tells of distances and of votes."""

    similarity: dict[Preset, list[CalibrationPoint]]
    neighbours: NeighbourCalibration


def recalibrate(bundle: Path, collection: LabelledCollection, store: Path) -> BundleManifest:
    """Calibrate by the folds that the bundle's training held back, against those it learned from; write its manifest.

    Raises `BadInput` where the bundle does not tell its folds, or has learned from all of them.
    """
    system, manifest = BundleSystem(bundle), read_manifest(bundle)
    learned, known = learned_from(manifest.provenance), {case.fold for case in collection.cases}
    if not known & learned.choices or not known & learned.weights:
        raise BadInput(f"bundle {manifest.version} in {bundle} held no lesion of this collection back to calibrate by")
    material = gather(system, collection, store, tuple(sorted(learned.choices)))
    held, trained = (rows_in(material.split.cases, folds) for folds in (learned.choices, learned.weights))
    made = promises(system, material, held, trained, evidence_of(collection, material))
    renewed = manifest.model_copy(update={"similarity": made.similarity, "neighbours": made.neighbours})
    write_durably(bundle / MANIFEST, f"{renewed.model_dump_json(indent=1)}\n".encode())
    return renewed


def promises(system: BundleSystem, material: Material, held: Ints, trained: Ints, evidence: Floats) -> Promises:
    """Return what queries of the rows `held` teach that ask the rows `trained`; they must share no lesion.

    `evidence` [N] is how much the vote of each row of the material counts.
    """
    queries, gallery = (material.split.labelled(rows, material.latents) for rows in (held, trained))
    presets: dict[Preset, Floats] = {"visual": system.presets["visual"], "clinical": system.presets["clinical"]}
    curves = {name: calibrate(queries, gallery, weights) for name, weights in presets.items()}
    marks = measures_of(system, material.pixels[held], material.latents[held])
    return Promises(
        curves,
        calibrate_neighbours(queries, gallery, presets, curves, system.classes, marks, evidence[trained]),
    )


def evidence_of(collection: LabelledCollection, material: Material) -> Floats:
    """Return how much the vote of each row of the material counts [N], by how its diagnosis was confirmed."""
    counted = collection.info.evidence_weights
    return np.array([counted.get(case.evidence, 1.0) for case in material.split.cases])


def measures_of(system: BundleSystem, pixels: Pixels, latents: Floats) -> dict[str, Floats]:
    """Return what the encoder measures of images [N,H,W,3] with `latents` [N,D], as in its contract `Quality`."""

    def rebuild(rows: Ints) -> torch.Tensor:
        return torch.from_numpy(system.reconstruct(latents[rows]))

    rebuilt = quality(rebuild, pixels, np.arange(len(pixels)), system.output)
    return {"reconstruction_error": rebuilt.squared_error, **light_of(pixels)}
