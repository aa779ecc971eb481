"""Measure on held-out lesions how well a dimension follows what it is named after."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from casekin.contracts.bundle import NameEvidence
from training.evaluation.bootstrap import RESAMPLES, Interval, interval, samples
from training.latent_space.attributes import HeldOutScores, fold_wise_auc, permutation_p
from training.latent_space.named_axes import rank_correlation

Floats = npt.NDArray[np.floating]
Groups = Sequence[str] | npt.NDArray[np.str_]

FEWEST = 5
"""Images with, and without, what the dimension is named after: of fewer an interval says nothing."""


def auc_evidence(scores: Floats, values: Floats, groups: Groups, data: str) -> NameEvidence | None:
    """Return the AUC of coordinates [N] for values 1 and 0 [N], NaN unknown; None where fewer than 5 are of one kind.

    `groups` [N] are the lesions over which the interval is drawn; `data` says where the images come from.
    """
    known = np.isfinite(values)
    positive = values[known] > 0
    if min(positive.sum(), (~positive).sum()) < FEWEST:
        return None
    named = np.asarray(groups, dtype=str)[known]
    once, own = np.zeros(len(positive), int), scores[known]
    measured = HeldOutScores(own, positive, once, named)
    p = permutation_p(lambda rows: fold_wise_auc(own, positive[rows], once), named)
    return _evidence("auc", measured.interval(), p, named, data, int(positive.sum()))


def correlation_evidence(scores: Floats, values: Floats, groups: Groups, data: str) -> NameEvidence | None:
    """Return the rank correlation of coordinates [N] with a measure [N], NaN unknown; None of fewer than 10 images.

    Ranks are taken once, not in each sample of the bootstrap.
    """
    known = np.isfinite(values)
    if known.sum() < 2 * FEWEST or scores[known].std() == 0 or values[known].std() == 0:
        return None
    named, x, y = np.asarray(groups, dtype=str)[known], rankdata(scores[known]), rankdata(values[known])
    drawn = _correlations(x, y, samples(named, RESAMPLES))
    measured = interval(rank_correlation(scores[known], values[known]), drawn)
    p = permutation_p(lambda rows: float(np.corrcoef(x, y[rows])[0, 1]), named)
    return _evidence("rank_correlation", measured, p, named, data, None)


def _correlations(x: Floats, y: Floats, counts: Floats) -> Floats:
    """Return the correlation [R] when each row counts as often as counts [R,N] says."""
    share = counts / counts.sum(1, keepdims=True)
    x, y = x - x.mean(), y - y.mean()
    mean_x, mean_y = share @ x, share @ y
    spread = np.sqrt((share @ x**2 - mean_x**2) * (share @ y**2 - mean_y**2))
    return np.asarray((share @ (x * y) - mean_x * mean_y) / np.maximum(spread, 1e-12))


def _evidence(
    figure: str, measured: Interval, p: float, groups: Groups, data: str, positive: int | None
) -> NameEvidence:
    # An interval by resampling may miss the figure itself by a hair where nearly all images agree.
    low, high = min(measured.low, measured.value), max(measured.high, measured.value)
    return NameEvidence.model_validate(
        {
            "figure": figure,
            "value": round(measured.value, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "p": round(p, 4),
            "images": len(groups),
            "positive": positive,
            "lesions": len(np.unique(groups)),
            "data": data,
        }
    )
