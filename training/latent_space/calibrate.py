"""Learns from held lesions what a study's distances, votes and oddities mean."""

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import Preset
from casekin.contracts.bundle import CalibrationPoint, NeighbourCalibration
from training.evaluation.evaluate import measure
from training.evaluation.retrieval import neighbours
from training.evaluation.split import Split, Vectors
from training.latent_space import embed
from training.latent_space.clinical_metric import calibrate
from training.latent_space.held_out import Held
from training.latent_space.study import Study
from training.latent_space.vote_calibration import NEIGHBOURS, calibrate_neighbours, light_of

Floats = npt.NDArray[np.floating]
TAIL = 0.01


def held_of(study: Study) -> Held:
    """Return what the study was given, or else what its own held lesions teach."""
    if study.given is not None:
        return study.given
    presets = study.presets()
    similarity = {name: _calibrated(study, weights) for name, weights in presets.items()}
    marks = _marks(study)
    split = Split(study.collection.cases, study.collection.classes, study.folds.test)
    # The headline comes first.
    ordered = sorted(presets.items(), key=lambda preset: preset[0] != "clinical")
    return Held(
        metric=study.metric,
        temperature=study.temperature,
        similarity=similarity,
        neighbours=_neighbours(study, similarity, marks),
        out_of_distribution=_strangeness(study, marks),
        metrics=study.figures(),
        measured=measure(split, [Vectors(name, study.latents, weights) for name, weights in ordered]),
        protocol=study.protocol,
    )


def _calibrated(study: Study, weights: Floats) -> list[CalibrationPoint]:
    return calibrate(study.labelled(study.folds.held), study.labelled(study.folds.train), weights)


def _neighbours(
    study: Study, similarity: dict[Preset, list[CalibrationPoint]], marks: dict[str, Floats]
) -> NeighbourCalibration | None:
    collection = study.collection
    counted = collection.source.info.evidence_weights
    gallery = [collection.cases[position] for position in study.positions(study.folds.train)]
    if len({case.lesion for case in gallery}) < NEIGHBOURS:
        return None
    return calibrate_neighbours(
        study.labelled(study.folds.held),
        study.labelled(study.folds.train),
        study.presets(),
        similarity,
        collection.classes,
        marks,
        np.array([counted.get(case.evidence, 1.0) for case in gallery]),
    )


def _marks(study: Study) -> dict[str, Floats]:
    """Return what the encoder measures of the held images, as the contract `casekin.contracts.encoder.Quality` says."""
    rows = study.rows(study.folds.held)
    rebuilt = embed.reconstruct(study.network, study.collection, study.encoded, rows)
    light = light_of(study.collection.pixels[study.positions(study.folds.held)])
    return {"reconstruction_error": rebuilt.squared_error, **light}


def _strangeness(study: Study, marks: dict[str, Floats]) -> dict[str, float]:
    """Return quantiles over held lesions beyond which an image is unlike the collection."""
    queries, gallery = study.labelled(study.folds.held), study.labelled(study.folds.train)
    _, distances = neighbours(queries, gallery, np.ones(queries.latents.shape[1]), 1)
    return {
        "nearest_distance_0.99": float(np.quantile(distances, 1 - TAIL)),
        "reconstruction_error_0.99": float(np.quantile(marks["reconstruction_error"], 1 - TAIL)),
        "sharpness_0.01": float(np.quantile(marks["sharpness"], TAIL)),
        "brightness_0.01": float(np.quantile(marks["brightness"], TAIL)),
        "brightness_0.99": float(np.quantile(marks["brightness"], 1 - TAIL)),
    }
