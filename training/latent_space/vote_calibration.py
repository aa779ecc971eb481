"""Calibrate k-NN votes, conformal sets and out-of-distribution scores on held-out queries against the gallery."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import binom

from casekin.contracts.base import Preset
from casekin.contracts.bundle import (
    CalibrationPoint,
    NeighbourCalibration,
    OutOfDistributionScale,
    VoteCalibration,
    VoteScale,
)
from training.evaluation.neighbour_votes import CaseDetails, Votes, cast_votes, matches_of, probabilities
from training.evaluation.retrieval import NEIGHBOURS, Labelled, nearest_lesions
from training.latent_space.match_similarity import fit_similarities
from training.latent_space.tails import lower_tail, upper_tail

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

COVERAGE = 0.9
LEAST_COVERAGE = 0.87
"""That sets of each diagnosis shall have with `CONFIDENCE`."""
CONFIDENCE = 0.95
"""Chance that a threshold holds the least coverage; decides for diagnoses with few images."""
WIDENING = 1.0
"""By which a unit of the out-of-distribution score lowers the thresholds of a set."""
USUAL = 0.99
"""Share of validation images that are not flagged."""
DUPLICATES = 0.001
"""Share of validation images nearer to another lesion than a near duplicate is."""
TWO_SIDED = ("sharpness", "brightness")
LUMA = np.array([0.299, 0.587, 0.114])
_BATCH = 512


def calibrate_neighbours(
    queries: Labelled,
    gallery: Labelled,
    presets: Mapping[Preset, Floats],
    similarity: Mapping[Preset, Sequence[CalibrationPoint]],
    classes: Sequence[str],
    measures: Mapping[str, Floats],
    details: CaseDetails | None = None,
) -> NeighbourCalibration:
    """Calibrate neighbours on `queries` that the network was not trained on.

    `presets` are weights [D] of all presets; `similarity` the bundle's curves; `measures`, [Q] each, are
    reconstruction_error, sharpness and brightness of the queries' images as in the encoder's contract `Quality`;
    `details` are those of the gallery's cases, unknown where left out. Queries and gallery must share no lesion
    (ValueError).
    """
    if shared := set(queries.lesions) & set(gallery.lesions):
        raise ValueError(f"{len(shared)} lesions are in the queries and in the gallery; votes would come from siblings")
    known = CaseDetails.unknown(len(gallery.labels)) if details is None else details
    calibrated = {
        preset: _calibrate(queries, gallery, weights, similarity[preset], classes, measures, known)
        for preset, weights in presets.items()
    }
    visual, _ = nearest_lesions(queries, gallery, np.ones(queries.latents.shape[1]), 1)
    return NeighbourCalibration(
        neighbours=NEIGHBOURS,
        coverage=COVERAGE,
        near_duplicate_distance=float(np.quantile(visual[:, 0], DUPLICATES)),
        presets=calibrated,
    )


def fit_scale(votes: Votes, labels: Ints, weights: Floats) -> VoteScale:
    """Return the scale under which `labels` [Q], each counting `weights` [Q], are most likely (as Guo 2017, 4.2)."""

    def scale(found: Floats) -> VoteScale:
        smoothing, temperature = np.exp(found[:2])
        return VoteScale(smoothing=float(smoothing), temperature=float(temperature), decay=float(found[2]))

    def cost(found: Floats) -> float:
        chosen = probabilities(votes, scale(found))[np.arange(len(labels)), labels]
        return float(-(weights * np.log(np.maximum(chosen, 1e-300))).sum() / weights.sum())

    bounds = [(np.log(1e-4), np.log(10.0)), (np.log(0.05), np.log(10.0)), (0.0, 20.0)]
    begin = [np.log(0.1), 0.0, 1.0]
    return scale(minimize(cost, begin, method="Nelder-Mead", bounds=bounds, options={"maxiter": 1000}).x)


def conformal_threshold(scores: Floats, coverage: float, least: float = LEAST_COVERAGE) -> float:
    """Return the least score [n] that a set must admit to hold new scores of the same kind with `coverage`.

    Split conformal prediction within a class (Vovk 2003; Sadinle et al. 2019): the floor((n + 1)(1 - coverage))-th
    smallest score, which has the coverage on average over samples of n scores. Of a small sample a smaller one, so that
    the coverage is at least `least` in `CONFIDENCE` of the samples (Vovk 2012, proposition 2a). 0, which admits every
    diagnosis, where there are too few scores for either.
    """
    average = int(np.floor((len(scores) + 1) * (1 - coverage) + 1e-9))
    rank = min(average, int(binom.ppf(1 - CONFIDENCE, len(scores), 1 - least)))
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else 0.0


def out_of_distribution_score(measures: Mapping[str, Floats], scale: OutOfDistributionScale) -> Floats:
    """Return the sum of excesses [Q] of `measures` [Q] beyond their tails, each in units of its mean excess."""
    size = len(next(iter(measures.values())))
    upper = [np.maximum(measures[n] - t.beyond, 0) / t.excess for n, t in scale.upper.items() if n in measures]
    lower = [np.maximum(t.beyond - measures[n], 0) / t.excess for n, t in scale.lower.items() if n in measures]
    return np.asarray(np.sum([np.zeros(size), *upper, *lower], axis=0))


def light_of(pixels: npt.NDArray[np.uint8]) -> dict[str, Floats]:
    """Return sharpness and brightness [N] of images [N, H, W, 3], as the encoder's contract `Quality` has them."""
    found = []
    for start in range(0, len(pixels), _BATCH):
        luma = pixels[start : start + _BATCH] @ LUMA / 255
        inner = luma[:, 1:-1, 1:-1]
        around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
        found.append((np.var(around - 4 * inner, axis=(1, 2)) * 1000, luma.mean((1, 2))))
    sharpness, brightness = (np.concatenate(part) for part in zip(*found, strict=True))
    return {"sharpness": sharpness, "brightness": brightness}


def latent_measures(latents: Floats, distances: Floats) -> dict[str, Floats]:
    """Return the out-of-distribution measures [Q] of latents [Q, D] and distances [Q, k] to the nearest lesions."""
    return {"neighbour_distance": distances.mean(1), "extreme_coordinate": np.abs(latents).max(1)}


def _calibrate(
    queries: Labelled,
    gallery: Labelled,
    weights: Floats,
    curve: Sequence[CalibrationPoint],
    classes: Sequence[str],
    measures: Mapping[str, Floats],
    details: CaseDetails,
) -> VoteCalibration:
    distances, rows = nearest_lesions(queries, gallery, weights, NEIGHBOURS)
    nearest, labels = details.take(rows), gallery.labels[rows]
    votes = cast_votes(distances, labels, curve, nearest.vote_weights, len(classes))
    corrected = votes.corrected(np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels))
    counts = np.bincount(queries.labels, minlength=len(classes))
    plain = fit_scale(votes, queries.labels, np.ones(len(queries.labels)))
    balanced = fit_scale(corrected, queries.labels, 1 / counts[queries.labels])
    latent = latent_measures(queries.latents, distances)
    scale = _score_scale(latent, measures)
    # By latent alone: a score with the image's measures is larger, and so are its sets.
    own = probabilities(corrected, balanced)[np.arange(len(queries.labels)), queries.labels]
    own = own * (1 + WIDENING * out_of_distribution_score(latent, scale))
    matches = matches_of(gallery, rows, distances, nearest, probabilities(votes, plain), classes)
    return VoteCalibration(
        plain=plain,
        corrected=balanced,
        conformal={c: conformal_threshold(own[queries.labels == i], COVERAGE) for i, c in enumerate(classes)},
        widening=WIDENING,
        strangeness=scale,
        similarity=fit_similarities(matches, labels == queries.labels[:, None], curve),
    )


def _score_scale(latent: Mapping[str, Floats], image: Mapping[str, Floats]) -> OutOfDistributionScale:
    known = {**latent, **image}
    scale = OutOfDistributionScale(
        upper={name: upper_tail(values) for name, values in known.items()},
        lower={name: lower_tail(known[name]) for name in TWO_SIDED if name in known},
        latent_limit=0,
        image_limit=0,
    )
    return scale.model_copy(
        update={
            "latent_limit": float(np.quantile(out_of_distribution_score(latent, scale), USUAL)),
            "image_limit": float(np.quantile(out_of_distribution_score(known, scale), USUAL)),
        }
    )
