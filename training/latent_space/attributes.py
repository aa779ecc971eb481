"""Find visual attributes as directions of a latent, and measure by cross-validation how well it shows them.

A direction is a ridge regression of the attribute on the standardised latent; its penalty minimises generalised
cross-validation (Golub 1979). All images of one group (a patient, or else a lesion) are in one fold. Scores of
different folds come from different regressions, so that pairs are compared within a fold only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casekin.errors import BadInput
from training.evaluation.bootstrap import RESAMPLES, Interval, interval, samples

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

FOLDS = 5
PENALTIES = np.geomspace(1e-1, 1e5, 25)
"""Candidates, relative to standardised latents."""
PERMUTATIONS = 199
FEWEST = 10
"""Images with an attribute, and without, that a fold-wise comparison needs at least."""


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of one attribute, each from a direction that other groups taught."""

    scores: Floats
    """[N]"""
    positive: Bools
    """[N], whether the image has the attribute"""
    folds: Ints
    """[N]; scores compare within a fold"""
    groups: npt.NDArray[np.str_]
    """[N]"""

    @property
    def auc(self) -> float:
        """Return the share of pairs within a fold that the scores order rightly; a tie counts half."""
        return float(_auc(self, np.ones((1, len(self.scores))))[0])

    def interval(self, resamples: int = RESAMPLES) -> Interval:
        """Return the AUC with its 95 % bootstrap interval over groups."""
        return interval(self.auc, _auc(self, samples(self.groups, resamples)))


def attribute_aucs(
    latents: Floats,
    labels: Mapping[str, npt.ArrayLike],
    groups: Sequence[str] | npt.NDArray[np.str_],
    held_out: Bools | None = None,
) -> dict[str, float]:
    """Return the cross-validated AUC of each attribute in latents [N,D], by name.

    `labels` gives each attribute as N values: 1 with it, 0 without, NaN where nobody looked. `groups` names the patient
    or lesion of each image. `held_out` marks the images [N] that the encoder was not trained on; only these are
    scored, where it is given, and the others still teach the directions. Raises `BadInput` for an attribute of which
    fewer than 10 scored images are positive or negative.
    """
    result = {}
    for name, values in labels.items():
        result[name] = held_out_scores(latents, np.asarray(values, float), groups, held_out, name).auc
    return result


def held_out_scores(
    latents: Floats,
    values: Floats,
    groups: Sequence[str] | npt.NDArray[np.str_],
    held_out: Bools | None = None,
    name: str = "attribute",
) -> HeldOutScores:
    """Return the scores of the images that have a value, and were held out where `held_out` says; see above."""
    known = np.isfinite(values)
    scored = (known if held_out is None else known & held_out)[known]
    x, y = np.asarray(latents, float)[known], values[known] > 0
    named = np.asarray(groups, dtype=str)[known]
    _refuse_few(y[scored], name)
    folds = group_folds(named)
    result = _cross_fitted(x, y[:, None].astype(float), folds)[:, 0]
    return HeldOutScores(result[scored], y[scored], folds[scored], named[scored])


def permutation_p(
    latents: Floats,
    values: Floats,
    groups: Sequence[str] | npt.NDArray[np.str_],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> float:
    """Return the share of label permutations, the true one included, with at least the AUC of the true one.

    `latents` [N,D] and `values` [N] are as above. Labels move between groups of equal size, and the directions are
    learned anew from each permutation (Ojala & Garriga 2010, test 1).
    """
    known, named = np.isfinite(values), np.asarray(groups, dtype=str)
    x, y, named = np.asarray(latents, float)[known], values[known] > 0, named[known]
    random = np.random.default_rng(seed)
    drawn = np.stack([y, *(y[_exchanged(named, random)] for _ in range(permutations))], 1)  # [N,1+P]
    folds = group_folds(named)
    predicted = _cross_fitted(x, drawn.astype(float), folds)
    pairs = zip(predicted.T, drawn.T, strict=True)
    reached = np.array([HeldOutScores(scores, positive, folds, named).auc for scores, positive in pairs])
    return float((reached >= reached[0]).mean())


def direction(latents: Floats, values: Floats) -> Floats:
    """Return the slope [D] of the regression of values [N] on latents [N,D]; rows with a NaN value are left out."""
    known = np.isfinite(values)
    x, y = np.asarray(latents, float)[known], np.asarray(values, float)[known]
    spread = np.maximum(x.std(0), 1e-12)
    return np.asarray(_slopes((x - x.mean(0)) / spread, (y - y.mean())[:, None])[:, 0] / spread)


def group_folds(groups: Sequence[str] | npt.NDArray[np.str_], seed: int = 0) -> Ints:
    """Return a fold 0..4 for each of N images; groups are dealt out at random, whatever their labels."""
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(names)) % FOLDS)[group])


def _refuse_few(positive: Bools, name: str) -> None:
    counts = int(positive.sum()), int((~positive).sum())
    if min(counts) < FEWEST:
        raise BadInput(
            f"{name}: {counts[0]} images have it and {counts[1]} have not; cross-validation needs {FEWEST} of each"
        )


def _cross_fitted(x: Floats, y: Floats, folds: Ints) -> Floats:
    """Return predictions [N,P] of targets y [N,P], each from a regression on the other folds of x [N,D]."""
    result = np.zeros(y.shape)
    for fold in np.unique(folds):
        test = folds == fold
        mean, spread = x[~test].mean(0), np.maximum(x[~test].std(0), 1e-12)
        centre = y[~test].mean(0)
        slopes = _slopes((x[~test] - mean) / spread, y[~test] - centre)
        result[test] = (x[test] - mean) / spread @ slopes + centre
    return result


def _slopes(x: Floats, y: Floats) -> Floats:
    """Return ridge slopes [D,P] of centred y [N,P] on standardised x [N,D], each with its own best penalty."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    inner = left.T @ y  # [K,P]
    kept = singular[:, None] ** 2 / (singular[:, None] ** 2 + PENALTIES)  # [K,L]
    # ||y - fitted||^2 = ||y||^2 - sum of (1 - (1 - kept)^2) inner^2
    unexplained = (y**2).sum(0) - (1 - (1 - kept) ** 2).T @ inner**2  # [L,P]
    freedom = 1 - (kept.sum(0) + 1) / len(x)  # [L]
    with np.errstate(divide="ignore"):
        criterion = np.where(freedom[:, None] > 0, unexplained / np.square(freedom)[:, None], np.inf)
    chosen = kept[:, criterion.argmin(0)]  # [K,P]
    return np.asarray(right.T @ (chosen / np.maximum(singular[:, None], 1e-12) * inner))


def _exchanged(groups: npt.NDArray[np.str_], random: np.random.Generator) -> Ints:
    """Return rows [N] in a random order in which groups of equal size have changed places."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    result = np.arange(len(groups))
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        for here, there in zip(alike, random.permutation(alike), strict=True):
            result[members[here]] = members[there]
    return result


def _auc(scored: HeldOutScores, counts: Floats) -> Floats:
    """Return the AUC [R] when each image counts as often as counts [R,N] says."""
    right, pairs = np.zeros(len(counts)), np.zeros(len(counts))
    for fold in np.unique(scored.folds):
        rows = np.flatnonzero(scored.folds == fold)
        rows = rows[np.argsort(scored.scores[rows], kind="stable")]
        _, tied = np.unique(scored.scores[rows], return_inverse=True)
        positive = scored.positive[rows]
        ours, theirs = (np.zeros((tied.max() + 1, len(counts))) for _ in range(2))
        np.add.at(ours, tied[positive], counts[:, rows[positive]].T)
        np.add.at(theirs, tied[~positive], counts[:, rows[~positive]].T)
        below = np.cumsum(theirs, 0) - theirs / 2
        right += (ours * below).sum(0)
        pairs += ours.sum(0) * theirs.sum(0)
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, right / np.maximum(pairs, 1e-12), np.nan)
