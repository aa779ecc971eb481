"""Find visual attributes as directions of a latent, and measure by cross-validation how well it shows them.

A direction is a ridge regression of the attribute on the latent. All images of one group (a patient, or else a lesion)
are in one fold. Scores of different folds come from different regressions, so that pairs are compared within a fold
only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.attribute_images import refuse_few
from training.evaluation.bootstrap import RESAMPLES, Interval, interval, samples
from training.models.ridge import cross_fitted

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

FOLDS = 5
PERMUTATIONS = 199


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
        return fold_wise_auc(self.scores, self.positive, self.folds)

    def interval(self, resamples: int = RESAMPLES) -> Interval:
        """Return the AUC with its 95 % bootstrap interval over groups."""
        return interval(self.auc, _auc(self.scores, self.positive, self.folds, samples(self.groups, resamples)))


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
    refuse_few(y[scored], name)
    folds = group_folds(named)
    result = cross_fitted(x, y[:, None].astype(float), folds)[:, 0]
    return HeldOutScores(result[scored], y[scored], folds[scored], named[scored])


def permutation_p(
    reached: Callable[[Ints], float],
    groups: Sequence[str] | npt.NDArray[np.str_],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> float:
    """Return the share of label permutations, the true one included, that reach what the true one does.

    `reached` gives the figure when row i has the label of row rows[i], given rows [N]. Labels move between groups of
    equal size only, as those of one lesion are alike (Ojala & Garriga 2010, test 1).
    """
    random, named = np.random.default_rng(seed), np.asarray(groups, dtype=str)
    own = reached(np.arange(len(named)))
    beaten = sum(reached(_exchanged(named, random)) >= own for _ in range(permutations))
    return (1 + beaten) / (1 + permutations)


def group_folds(groups: Sequence[str] | npt.NDArray[np.str_], seed: int = 0) -> Ints:
    """Return a fold 0..4 for each of N images; groups are dealt out at random, whatever their labels."""
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(names)) % FOLDS)[group])


def fold_wise_auc(scores: Floats, positive: Bools, folds: Ints) -> float:
    """Return the share of pairs within a fold that scores [N] order rightly; a tie counts half."""
    return float(_auc(scores, positive, folds, np.ones((1, len(scores))))[0])


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


def _auc(scores: Floats, positive: Bools, folds: Ints, counts: Floats) -> Floats:
    """Return the AUC [R] when each image counts as often as counts [R,N] says."""
    right, pairs = np.zeros(len(counts)), np.zeros(len(counts))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        rows = rows[np.argsort(scores[rows], kind="stable")]
        _, tied = np.unique(scores[rows], return_inverse=True)
        has = positive[rows]
        ours, theirs = (np.zeros((tied.max() + 1, len(counts))) for _ in range(2))
        np.add.at(ours, tied[has], counts[:, rows[has]].T)
        np.add.at(theirs, tied[~has], counts[:, rows[~has]].T)
        below = np.cumsum(theirs, 0) - theirs / 2
        right += (ours * below).sum(0)
        pairs += ours.sum(0) * theirs.sum(0)
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, right / np.maximum(pairs, 1e-12), np.nan)
