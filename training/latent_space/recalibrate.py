"""Recalibrate a bundle's similarity and votes; its graphs stay, and so does every latent in every index."""

from pathlib import Path
from typing import NamedTuple

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
from training.latent_space.clinical_metric import calibrate, calibrate_by_diagnosis
from training.latent_space.vote_calibration import calibrate_neighbours, light_of

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


class Calibration(NamedTuple):
    """The fields of a manifest that calibration fills."""

    similarity: dict[Preset, list[CalibrationPoint]]
    similarity_by_diagnosis: dict[Preset, dict[str, list[CalibrationPoint]]]
    neighbours: NeighbourCalibration


def recalibrate(bundle: Path, collection: LabelledCollection, store: Path, proof: Path | None = None) -> BundleManifest:
    """Calibrate on the folds that training held out, against those it was trained on; write the bundle's manifest.

    `proof` is the bundle of the same recipe that is measured in place of one trained on all folds. Raises `BadInput`
    where the measured bundle does not name its folds, or was trained on all of them.
    """
    measured = bundle if proof is None else proof
    system, manifest = BundleSystem(measured), read_manifest(bundle)
    learned, known = learned_from(system.provenance), {case.fold for case in collection.cases}
    if not known & learned.choices or not known & learned.weights:
        raise BadInput(
            f"bundle {system.name} in {measured} held out no lesion of this collection to calibrate by: name the proof "
            "of its recipe (--proof)"
        )
    material = gather(system, collection, store, tuple(sorted(learned.choices)))
    held_out, trained = (rows_in(material.split.cases, folds) for folds in (learned.choices, learned.weights))
    renewed = manifest.model_copy(update=calibrate_rows(system, material, held_out, trained)._asdict())
    write_durably(bundle / MANIFEST, (renewed.model_dump_json(indent=1) + "\n").encode())
    return renewed


def calibrate_rows(system: BundleSystem, material: Material, held_out: Ints, trained: Ints) -> Calibration:
    """Calibrate with the rows `held_out` as queries of the rows `trained`; they must share no lesion."""
    queries, gallery = (material.split.labelled(rows, material.latents) for rows in (held_out, trained))
    presets: dict[Preset, Floats] = {"visual": system.presets["visual"], "clinical": system.presets["clinical"]}
    curves = {name: calibrate(queries, gallery, weights) for name, weights in presets.items()}
    measures = measures_of(system, material.pixels[held_out], material.latents[held_out])
    return Calibration(
        curves,
        {name: calibrate_by_diagnosis(queries, gallery, weights, system.classes) for name, weights in presets.items()},
        calibrate_neighbours(
            queries, gallery, presets, curves, system.classes, measures, material.details.take(trained)
        ),
    )


def measures_of(system: BundleSystem, pixels: Pixels, latents: Floats) -> dict[str, Floats]:
    """Return the measures of images [N,H,W,3] with `latents` [N,D], as in the encoder's contract `Quality`."""

    def rebuild(rows: Ints) -> torch.Tensor:
        return torch.from_numpy(system.reconstruct(latents[rows]))

    rebuilt = quality(rebuild, pixels, np.arange(len(pixels)), system.output)
    return {"reconstruction_error": rebuilt.squared_error, **light_of(pixels)}
