"""The clinical weights and what a distance means, both learned on lesions that the network never saw."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.isotonic import IsotonicRegression

from casekin.contracts.bundle import CalibrationPoint
from training.evaluation.retrieval import Labelled, neighbours

Floats = npt.NDArray[np.floating]

CALIBRATION_DEPTH = 30
"""Matches per query from which a distance is calibrated: what a page shows, and somewhat beyond."""
SOFT_NEIGHBOURS = 16
"""About so many neighbours have a say while the appearance share is learned."""
SHARES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates: a thousand queries tell no finer steps apart."""


def clinical_weights(spread: Floats, guided: int, share: float) -> Floats:
    """Return weights [D] of mean 1 that undo the standardisation by `spread` [D] and count appearance as `share`.

    Among the first `guided` dimensions the distance is then the one that the metric term of the loss shaped; each
    appearance dimension, of unit variance, counts `share` times the mean of those.
    """
    result = np.square(spread.astype(np.float64))
    result[guided:] = share * result[:guided].mean()
    return np.asarray(result / result.mean())


def learn_share(queries: Labelled, gallery: Labelled, spread: Floats, guided: int) -> float:
    """Return the appearance share under which neighbours share the query's diagnosis best, each diagnosis alike.

    The objective is that of neighbourhood components analysis (Goldberger 2004, eq. 3): the expected share of right
    neighbours when they are drawn by closeness. Queries and gallery must share no lesion (ValueError).
    """
    if shared := set(queries.lesions) & set(gallery.lesions):
        raise ValueError(f"{len(shared)} lesions are in the queries and in the gallery; weights would learn siblings")
    scores = [_expected_share(queries, gallery, clinical_weights(spread, guided, share)) for share in SHARES]
    return SHARES[int(np.argmax(scores))]


def _expected_share(queries: Labelled, gallery: Labelled, weights: Floats) -> float:
    order, distances = neighbours(queries, gallery, weights, 8 * SOFT_NEIGHBOURS)
    squared = distances**2 - distances[:, :1] ** 2
    # One sharpness for all queries: the median reach of the nearest few.
    closeness = np.exp(-squared / np.median(squared[:, SOFT_NEIGHBOURS - 1]))
    hit = gallery.labels[order] == queries.labels[:, None]
    chance = (closeness * hit).sum(1) / closeness.sum(1)
    return float(np.mean([chance[queries.labels == label].mean() for label in np.unique(queries.labels)]))


def calibrate(
    queries: Labelled, gallery: Labelled, weights: Floats, points: int = 24, depth: int = CALIBRATION_DEPTH
) -> list[CalibrationPoint]:
    """Return, for rising distances, the falling share of matches that had the query's diagnosis.

    Isotonic regression (Barlow 1972) over the nearest matches of each query, read off at their quantiles.
    """
    order, distances = neighbours(queries, gallery, weights, depth)
    hits = gallery.labels[order] == queries.labels[:, None]
    fitted = IsotonicRegression(increasing=False, y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(distances.ravel(), hits.ravel().astype(float))
    at = np.unique(np.quantile(distances, np.linspace(0, 1, points)))
    at = np.unique(np.concatenate([[0.0], at]))
    shares = np.minimum.accumulate(fitted.predict(at))
    return [CalibrationPoint(distance=float(d), share=float(s)) for d, s in zip(at, shares, strict=True)]


def temperature(logits: Floats, labels: Sequence[int] | npt.NDArray[np.integer]) -> float:
    """Return the temperature that makes logits [N,C] most likely to say labels [N] (Guo 2017, section 4.2)."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8), 60))
    values, truth = torch.from_numpy(np.asarray(logits)).float(), torch.as_tensor(np.asarray(labels))
    costs = [float(torch.nn.functional.cross_entropy(values / t, truth)) for t in candidates]
    return float(candidates[int(np.argmin(costs))])
