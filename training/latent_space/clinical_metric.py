"""Learn the clinical weights and the similarity curve on held-out lesions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.preprocessing import SplineTransformer

from casekin.contracts.bundle import CalibrationPoint
from training.evaluation.retrieval import NEIGHBOURS, Labelled, nearest_lesions, neighbours

Floats = npt.NDArray[np.floating]

POINTS = 32
"""Of the calibration curve of all neighbours."""
CURVE_POINTS = 12
"""Of the curve of one diagnosis."""
_BATCH = 512
KNOTS = 5
"""Of the splines of a calibration curve, evenly over ranks of distance."""
SOFT_NEIGHBOURS = 16
"""About so many neighbours count while the appearance share is learned."""
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
SHARES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates: a thousand queries tell no finer steps apart."""


class Metric(NamedTuple):
    """Parameters of the clinical weights."""

    power: float
    """Of the spread along each principal axis of the diagnosis dimensions. 1: the distance among them is the one that
    the contrastive term of the loss shaped. 0: all axes count alike, whether they separate diagnoses or not."""
    share: float
    """Weight of one appearance dimension relative to the mean of the diagnosis dimensions."""


class Sides(NamedTuple):
    """Queries and gallery, standardised on axes of one power."""

    queries: Labelled
    gallery: Labelled
    spread: Floats
    """[D], by which they were standardised."""


def clinical_weights(spread: Floats, guided: int, share: float) -> Floats:
    """Return weights [D] of mean 1 that undo the standardisation by `spread` [D] and count appearance as `share`.

    The first `guided` dimensions are those of diagnosis; each appearance dimension, of unit variance, counts `share`
    times the mean of those.
    """
    result = np.square(spread.astype(np.float64))
    result[guided:] = share * result[:guided].mean()
    return np.asarray(result / result.mean())


def learn_metric(at: Callable[[float], Sides], guided: int) -> Metric:
    """Return the metric under which most neighbours share the query's diagnosis, averaged over diagnoses.

    `at` returns the cases on the axes of a power.

    The objective is that of neighbourhood components analysis (Goldberger 2004, eq. 3): the expected share of right
    neighbours when they are drawn by closeness. Queries and gallery must share no lesion (ValueError).
    """
    scores = {}
    for power in POWERS:
        queries, gallery, spread = at(power)
        if shared := set(queries.lesions) & set(gallery.lesions):
            raise ValueError(
                f"{len(shared)} lesions are in the queries and in the gallery; weights would be fitted to siblings"
            )
        for share in SHARES:
            weights = clinical_weights(spread, guided, share)
            scores[Metric(power, share)] = _expected_share(queries, gallery, weights)
    return max(scores, key=scores.__getitem__)


def _expected_share(queries: Labelled, gallery: Labelled, weights: Floats) -> float:
    order, distances = neighbours(queries, gallery, weights, 8 * SOFT_NEIGHBOURS)
    squared = distances**2 - distances[:, :1] ** 2
    # One sharpness for all queries: the median reach of the nearest few.
    closeness = np.exp(-squared / np.median(squared[:, SOFT_NEIGHBOURS - 1]))
    hit = gallery.labels[order] == queries.labels[:, None]
    chance = (closeness * hit).sum(1) / closeness.sum(1)
    return float(np.mean([chance[queries.labels == label].mean() for label in np.unique(queries.labels)]))


def calibrate(queries: Labelled, gallery: Labelled, weights: Floats) -> list[CalibrationPoint]:
    """Return, for rising distances, the falling share of matches that had the query's diagnosis.

    Over the neighbours that vote: the nearest case of each of the `NEIGHBOURS` nearest lesions.
    A logistic regression on falling splines of the rank of a distance (`_falling_share`), read off at quantiles.
    Isotonic regression follows chance in steps, and five of them, each without a fifth of the queries, were wrong by
    8 % in a tenth of the matches of that fifth; this by 2 %. Queries and gallery must share no lesion.
    """
    depth = min(NEIGHBOURS, len(set(gallery.lesions)))
    distances, rows = nearest_lesions(queries, gallery, weights, depth)
    return _falling_curve(distances, gallery.labels[rows] == queries.labels[:, None], POINTS)


def calibrate_by_diagnosis(
    queries: Labelled, gallery: Labelled, weights: Floats, classes: Sequence[str]
) -> dict[str, list[CalibrationPoint]]:
    """Return by diagnosis, for rising distances, the falling share of its cases that had the query's diagnosis.

    Over the `NEIGHBOURS` cases of the diagnosis that are nearest to each query, whatever its own diagnosis: so the
    curves hold where a filter leaves only this diagnosis, near or far. One that no query or no case has is left out.
    Queries and gallery must share no lesion.
    """
    curves = {}
    for label, code in enumerate(classes):
        own = queries.labels == label
        cases = gallery.latents[gallery.labels == label]
        if own.any() and len(cases):
            distances = _nearest(queries.latents, cases, weights, min(NEIGHBOURS, len(cases)))
            curves[code] = _falling_curve(distances, np.broadcast_to(own[:, None], distances.shape), CURVE_POINTS)
    return curves


def _nearest(latents: Floats, cases: Floats, weights: Floats, depth: int) -> Floats:
    """Return the weighted distances [Q,depth] of latents [Q,D] to their nearest cases of [G,D]."""
    x, y = latents * np.sqrt(weights), cases * np.sqrt(weights)
    found = []
    for part in np.array_split(x, max(1, len(x) // _BATCH)):
        squared = (part**2).sum(1)[:, None] + (y**2).sum(1) - 2 * part @ y.T
        found.append(np.sqrt(np.maximum(np.partition(squared, depth - 1, axis=1)[:, :depth], 0)))
    return np.concatenate(found)


def _falling_curve(distances: Floats, hits: npt.NDArray[np.bool_], count: int) -> list[CalibrationPoint]:
    """Return the share of hits [Q,k] by distance [Q,k], which falls, at `count` quantiles of the distances."""
    at, first = np.unique(np.quantile(distances, np.linspace(0, 1, count)), return_index=True)
    ranks = first / (count - 1)
    shares = _falling_share(np.interp(distances.ravel(), at, ranks), hits.ravel(), ranks)
    if at[0] > 0:  # nearer than any match of the queries
        at, shares = np.concatenate([[0.0], at]), np.concatenate([shares[:1], shares])
    return [CalibrationPoint(distance=float(d), share=float(s)) for d, s in zip(at, shares, strict=True)]


def _falling_share(ranks: Floats, hits: npt.NDArray[np.bool_], at: Floats) -> Floats:
    """Return the share of hits [L] among matches of `ranks` [L] in 0..1, as a smooth function that falls, `at` [P].

    The logit is a constant less monotone splines (Ramsay 1988) with coefficients not below 0, a priori about 1: few
    matches that distance tells apart would have them grow without end.
    """
    if hits.all() or not hits.any():
        return np.full(len(at), float(hits[0]))
    splines = SplineTransformer(KNOTS).fit([[0.0], [1.0]])

    def rising(of: Floats) -> Floats:
        """Each the sum of a B-spline and all to its right: the first is 1, the others rise from 0 to 1."""
        return np.asarray(splines.transform(of[:, None])[:, ::-1].cumsum(1)[:, ::-1])

    basis = rising(ranks)

    def cost(coefficients: Floats) -> tuple[float, Floats]:
        logits, steps = basis @ coefficients, np.concatenate([[0.0], coefficients[1:]])
        error = (np.logaddexp(0, logits) - hits * logits).sum() + steps @ steps / 2
        return float(error / len(hits)), (basis.T @ (expit(logits) - hits) + steps) / len(hits)

    bounds = [(None, None)] + [(None, 0.0)] * (basis.shape[1] - 1)
    fitted = minimize(cost, np.zeros(basis.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    # It falls but for rounding, and has to fall exactly.
    return np.asarray(np.minimum.accumulate(expit(rising(at) @ fitted.x)))


def temperature(logits: Floats, labels: Sequence[int] | npt.NDArray[np.integer]) -> float:
    """Return the temperature that maximises the likelihood of labels [N] under logits [N,C] (Guo 2017, section 4.2)."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8), 60))
    values, truth = torch.from_numpy(np.asarray(logits)).float(), torch.as_tensor(np.asarray(labels))
    costs = [float(torch.nn.functional.cross_entropy(values / t, truth)) for t in candidates]
    return float(candidates[int(np.argmin(costs))])
