"""Calibrate a study on its held-out lesions: similarity curves, votes, out-of-distribution scores, figures."""

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import Preset
from casekin.contracts.bundle import CalibrationPoint, NeighbourCalibration
from training.evaluation.neighbour_votes import CaseDetails
from training.evaluation.retrieval import NEIGHBOURS, neighbours
from training.latent_space import embed
from training.latent_space.clinical_metric import calibrate, calibrate_by_diagnosis
from training.latent_space.figures import figures, measured, rebuilt_by
from training.latent_space.held_out import HeldOutCalibration, ranking_names
from training.latent_space.naming import dimension_names
from training.latent_space.study import Study
from training.latent_space.vote_calibration import calibrate_neighbours, light_of

Floats = npt.NDArray[np.floating]
TAIL = 0.01


def held_out_calibration(study: Study) -> HeldOutCalibration:
    """Return the calibration of the study's proof if it has one, else that of its own held-out lesions."""
    if study.proven is not None:
        return study.proven
    presets = study.presets()
    similarity = {name: _calibrated(study, weights) for name, weights in presets.items()}
    measures, rebuilt = _image_measures(study), rebuilt_by(study)
    named = dimension_names(study)
    return HeldOutCalibration(
        metric=study.metric,
        temperature=study.temperature,
        similarity=similarity,
        similarity_by_diagnosis={name: _by_diagnosis(study, weights) for name, weights in presets.items()},
        neighbours=_neighbours(study, similarity, measures),
        out_of_distribution=_quantiles(study, measures),
        metrics=figures(study, rebuilt),
        measured=measured(study, rebuilt),
        protocol=study.protocol,
        evidence={one.name: one.evidence for one in named if one.evidence is not None},
        chosen=ranking_names([one.name for one in named], study.diagnosis_dimensions),
    )


def _calibrated(study: Study, weights: Floats) -> list[CalibrationPoint]:
    return calibrate(study.labelled(study.folds.held_out), study.labelled(study.folds.train), weights)


def _by_diagnosis(study: Study, weights: Floats) -> dict[str, list[CalibrationPoint]]:
    queries, gallery = study.labelled(study.folds.held_out), study.labelled(study.folds.train)
    return calibrate_by_diagnosis(queries, gallery, weights, study.collection.classes)


def _neighbours(
    study: Study, similarity: dict[Preset, list[CalibrationPoint]], measures: dict[str, Floats]
) -> NeighbourCalibration | None:
    collection = study.collection
    gallery = [collection.cases[position] for position in study.positions(study.folds.train)]
    if len({case.lesion for case in gallery}) < NEIGHBOURS:
        return None
    return calibrate_neighbours(
        study.labelled(study.folds.held_out),
        study.labelled(study.folds.train),
        study.presets(),
        similarity,
        collection.classes,
        measures,
        CaseDetails.of(gallery, collection.source.info.evidence_weights),
    )


def _image_measures(study: Study) -> dict[str, Floats]:
    """Return the measures of the held-out images, as in the contract `casekin.contracts.encoder.Quality`."""
    rows = study.rows(study.folds.held_out)
    rebuilt = embed.reconstruct(study.network, study.collection, study.encoded, rows)
    light = light_of(study.collection.pixels[study.positions(study.folds.held_out)])
    return {"reconstruction_error": rebuilt.squared_error, **light}


def _quantiles(study: Study, measures: dict[str, Floats]) -> dict[str, float]:
    """Return quantiles over held-out lesions beyond which an image is out of distribution."""
    queries, gallery = study.labelled(study.folds.held_out), study.labelled(study.folds.train)
    _, distances = neighbours(queries, gallery, np.ones(queries.latents.shape[1]), 1)
    return {
        "nearest_distance_0.99": float(np.quantile(distances, 1 - TAIL)),
        "reconstruction_error_0.99": float(np.quantile(measures["reconstruction_error"], 1 - TAIL)),
        "sharpness_0.01": float(np.quantile(measures["sharpness"], TAIL)),
        "brightness_0.01": float(np.quantile(measures["brightness"], TAIL)),
        "brightness_0.99": float(np.quantile(measures["brightness"], 1 - TAIL)),
    }
