"""What the votes of nearest cases mean: measured with validation queries against the gallery, for the bundle."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from casekin.contracts.base import Preset
from casekin.contracts.bundle import (
    CalibrationPoint,
    NeighbourCalibration,
    StrangenessScale,
    Tail,
    VoteCalibration,
    VoteScale,
)
from training.evaluation.retrieval import Labelled

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

NEIGHBOURS = 16
"""As in Tschandl et al., Br J Dermatol 2019."""
COVERAGE = 0.9
TAIL = 0.05
"""Share of validation images beyond the beginning of a tail."""
USUAL = 0.99
"""Share of validation images that are called usual."""
DUPLICATES = 0.001
TWO_SIDED = ("sharpness", "brightness")
LUMA = np.array([0.299, 0.587, 0.114])
_CHUNK = 512


def calibrate_neighbours(
    queries: Labelled,
    gallery: Labelled,
    presets: Mapping[Preset, Floats],
    similarity: Mapping[Preset, Sequence[CalibrationPoint]],
    classes: Sequence[str],
    measures: Mapping[str, Floats],
    votes_of_evidence: Floats | None = None,
) -> NeighbourCalibration:
    """Return how neighbours are to be read, from validation `queries` that the network did not learn from.

    `presets` are weights [D] of all presets; `similarity` the bundle's curves; `measures`, [Q] each, what the encoder
    measures of the queries' images: reconstruction_error, sharpness, brightness as in its contract `Quality`;
    `votes_of_evidence` [G] is how much each gallery case counts by its evidence, all alike where left out. Queries and
    gallery must share no lesion.
    """
    if shared := set(queries.lesions) & set(gallery.lesions):
        raise ValueError(f"{len(shared)} lesions are in the queries and in the gallery; votes would come from siblings")
    evidence = np.ones(len(gallery.labels)) if votes_of_evidence is None else votes_of_evidence
    calibrated = {
        preset: _calibrate(queries, gallery, weights, similarity[preset], classes, measures, evidence)
        for preset, weights in presets.items()
    }
    visual, _ = nearest_lesions(queries, gallery, np.ones(queries.latents.shape[1]), 1)
    return NeighbourCalibration(
        neighbours=NEIGHBOURS,
        coverage=COVERAGE,
        near_duplicate_distance=float(np.quantile(visual[:, 0], DUPLICATES)),
        presets=calibrated,
    )


def nearest_lesions(queries: Labelled, gallery: Labelled, weights: Floats, depth: int) -> tuple[Floats, Ints]:
    """Return distances and rows [Q, depth] of the nearest case of each of the `depth` nearest other lesions."""
    scale = np.sqrt(weights)
    x, y = queries.latents * scale, gallery.latents * scale
    _, lesions = np.unique(gallery.lesions, return_inverse=True)
    if depth > lesions.max() + 1:
        raise ValueError(f"the gallery has {lesions.max() + 1} lesions; {depth} neighbours need as many")
    rows = np.empty((len(x), depth), np.int64)
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK]
        squared = (part**2).sum(1)[:, None] + (y**2).sum(1) - 2 * part @ y.T
        for place, order in enumerate(np.argsort(squared, axis=1, kind="stable"), start=start):
            _, first = np.unique(lesions[order], return_index=True)
            rows[place] = order[np.sort(first)[:depth]]
    return np.linalg.norm(x[:, None] - y[rows], axis=2), rows


class Votes(NamedTuple):
    """What the neighbours of Q queries say."""

    shares: Floats
    """[Q, C], summing to 1"""
    agreement: Floats
    """[Q, 1], the largest share of the votes"""

    def corrected(self, prior: Floats) -> "Votes":
        """The same, each share divided by how frequent the diagnosis is [C]; they sum to 1 again."""
        shares = self.shares / np.maximum(prior, 1e-12)
        return self._replace(shares=shares / shares.sum(1, keepdims=True))


def cast_votes(
    distances: Floats, labels: Ints, curve: Sequence[CalibrationPoint], evidence: Floats, classes: int
) -> Votes:
    """Return votes: each neighbour counts its similarity times its evidence, all [Q, k]."""
    at, shares = [point.distance for point in curve], [point.share for point in curve]
    weights = np.interp(distances, at, shares) * evidence
    weights = np.where(weights.sum(1, keepdims=True) > 0, weights, 1.0)
    votes = np.stack([(weights * (labels == label)).sum(1) for label in range(classes)], axis=1)
    shares = votes / votes.sum(1, keepdims=True)
    return Votes(shares, shares.max(1, keepdims=True))


def probabilities(votes: Votes, scale: VoteScale) -> Floats:
    """Return what a scale makes of votes, [Q, C], normalised to sum to 1: see `VoteScale`."""
    smoothing = scale.smoothing * np.exp(-scale.decay * votes.agreement)
    logs = np.log(votes.shares + smoothing) / scale.temperature
    powers = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


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


def conformal_threshold(scores: Floats, coverage: float) -> float:
    """Return the least score [n] that a set must admit to hold new scores of the same kind with `coverage`.

    Split conformal prediction within a class (Vovk 2003; Sadinle et al. 2019): the floor((n + 1)(1 - coverage))-th
    smallest score; 0 where there are too few scores to promise anything less.
    """
    rank = int(np.floor((len(scores) + 1) * (1 - coverage) + 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else 0.0


def upper_tail(values: Floats) -> Tail:
    """Return where the largest `TAIL` of values [n] begin and by how much they exceed it on average (Pickands 1975)."""
    beyond = float(np.quantile(values, 1 - TAIL))
    excesses = values[values > beyond] - beyond
    return Tail(beyond=beyond, excess=float(max(excesses.mean() if len(excesses) else 0.0, 1e-9)))


def lower_tail(values: Floats) -> Tail:
    """Return the same of the smallest values."""
    mirrored = upper_tail(-values)
    return Tail(beyond=-mirrored.beyond, excess=mirrored.excess)


def strangeness(measures: Mapping[str, Floats], scale: StrangenessScale) -> Floats:
    """Return, of images with `measures` [Q], the sum of excesses beyond the tails of those measures [Q]."""
    size = len(next(iter(measures.values())))
    upper = [np.maximum(measures[n] - t.beyond, 0) / t.excess for n, t in scale.upper.items() if n in measures]
    lower = [np.maximum(t.beyond - measures[n], 0) / t.excess for n, t in scale.lower.items() if n in measures]
    return np.asarray(np.sum([np.zeros(size), *upper, *lower], axis=0))


def light_of(pixels: npt.NDArray[np.uint8]) -> dict[str, Floats]:
    """Return sharpness and brightness [N] of images [N, H, W, 3], as the encoder's contract `Quality` has them."""
    found = []
    for start in range(0, len(pixels), _CHUNK):
        luma = pixels[start : start + _CHUNK] @ LUMA / 255
        inner = luma[:, 1:-1, 1:-1]
        around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
        found.append((np.var(around - 4 * inner, axis=(1, 2)) * 1000, luma.mean((1, 2))))
    sharpness, brightness = (np.concatenate(part) for part in zip(*found, strict=True))
    return {"sharpness": sharpness, "brightness": brightness}


def latent_measures(latents: Floats, distances: Floats) -> dict[str, Floats]:
    """Return what is measured of a query's latents [Q, D] and its distances [Q, k] to the nearest cases."""
    return {"neighbour_distance": distances.mean(1), "extreme_coordinate": np.abs(latents).max(1)}


def _calibrate(
    queries: Labelled,
    gallery: Labelled,
    weights: Floats,
    curve: Sequence[CalibrationPoint],
    classes: Sequence[str],
    measures: Mapping[str, Floats],
    evidence: Floats,
) -> VoteCalibration:
    distances, rows = nearest_lesions(queries, gallery, weights, NEIGHBOURS)
    votes = cast_votes(distances, gallery.labels[rows], curve, evidence[rows], len(classes))
    corrected = votes.corrected(np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels))
    counts = np.bincount(queries.labels, minlength=len(classes))
    plain = fit_scale(votes, queries.labels, np.ones(len(queries.labels)))
    balanced = fit_scale(corrected, queries.labels, 1 / counts[queries.labels])
    own = probabilities(corrected, balanced)[np.arange(len(queries.labels)), queries.labels]
    return VoteCalibration(
        plain=plain,
        corrected=balanced,
        conformal={c: conformal_threshold(own[queries.labels == i], COVERAGE) for i, c in enumerate(classes)},
        strangeness=_strangeness_scale(latent_measures(queries.latents, distances), measures),
    )


def _strangeness_scale(latent: Mapping[str, Floats], image: Mapping[str, Floats]) -> StrangenessScale:
    known = {**latent, **image}
    scale = StrangenessScale(
        upper={name: upper_tail(values) for name, values in known.items()},
        lower={name: lower_tail(known[name]) for name in TWO_SIDED if name in known},
        latent_limit=0,
        image_limit=0,
    )
    return scale.model_copy(
        update={
            "latent_limit": float(np.quantile(strangeness(latent, scale), USUAL)),
            "image_limit": float(np.quantile(strangeness(known, scale), USUAL)),
        }
    )
