"""Recalibrate a bundle's similarity and votes; its graphs stay, and so does every latent in every index."""

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
class Calibration:
    """Similarity curves by preset, and the vote calibration."""

    similarity: dict[Preset, list[CalibrationPoint]]
    neighbours: NeighbourCalibration


def recalibrate(bundle: Path, collection: LabelledCollection, store: Path) -> BundleManifest:
    """Calibrate on the folds that the bundle's training held out, against those it was trained on; write its manifest.

    Raises `BadInput` where the bundle does not name its folds, or was trained on all of them.
    """
    system, manifest = BundleSystem(bundle), read_manifest(bundle)
    learned, known = learned_from(manifest.provenance), {case.fold for case in collection.cases}
    if not known & learned.choices or not known & learned.weights:
        raise BadInput(f"bundle {manifest.version} in {bundle} held out no lesion of this collection to calibrate by")
    material = gather(system, collection, store, tuple(sorted(learned.choices)))
    held_out, trained = (rows_in(material.split.cases, folds) for folds in (learned.choices, learned.weights))
    calibration = calibrate_rows(system, material, held_out, trained, evidence_weights(collection, material))
    renewed = manifest.model_copy(update={"similarity": calibration.similarity, "neighbours": calibration.neighbours})
    write_durably(bundle / MANIFEST, (renewed.model_dump_json(indent=1) + "\n").encode())
    return renewed


def calibrate_rows(
    system: BundleSystem, material: Material, held_out: Ints, trained: Ints, evidence: Floats
) -> Calibration:
    """Calibrate with the rows `held_out` as queries of the rows `trained`; they must share no lesion.

    `evidence` [N] is the weight of each row's vote.
    """
    queries, gallery = (material.split.labelled(rows, material.latents) for rows in (held_out, trained))
    presets: dict[Preset, Floats] = {"visual": system.presets["visual"], "clinical": system.presets["clinical"]}
    curves = {name: calibrate(queries, gallery, weights) for name, weights in presets.items()}
    measures = measures_of(system, material.pixels[held_out], material.latents[held_out])
    return Calibration(
        curves,
        calibrate_neighbours(queries, gallery, presets, curves, system.classes, measures, evidence[trained]),
    )


def evidence_weights(collection: LabelledCollection, material: Material) -> Floats:
    """Return the weight of each row's vote [N], by how its diagnosis was confirmed."""
    weights = collection.info.evidence_weights
    return np.array([weights.get(case.evidence, 1.0) for case in material.split.cases])


def measures_of(system: BundleSystem, pixels: Pixels, latents: Floats) -> dict[str, Floats]:
    """Return the measures of images [N,H,W,3] with `latents` [N,D], as in the encoder's contract `Quality`."""

    def rebuild(rows: Ints) -> torch.Tensor:
        return torch.from_numpy(system.reconstruct(latents[rows]))

    rebuilt = quality(rebuild, pixels, np.arange(len(pixels)), system.output)
    return {"reconstruction_error": rebuilt.squared_error, **light_of(pixels)}
