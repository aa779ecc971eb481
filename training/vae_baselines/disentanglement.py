"""Measures of disentanglement, how far each dimension of a latent represents one factor: 1 is best for all.

Codes are posterior means [N,D] of pictures with known factors; UDR alone needs no factors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import balanced_accuracy_score, mutual_info_score, r2_score
from sklearn.tree import DecisionTreeClassifier

from training.data.ground_truth import FactorTable

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

CODE_BINS = 20
"""Of a dimension, to estimate mutual information, as in Locatello 2019, appendix B."""
VOTES, VOTERS = 10_000, 64
"""Of the FactorVAE score: how many votes, and from how many pictures each."""
LEAST_SPREAD = 0.05
"""Share of the prior's variance below which the FactorVAE score takes a dimension for unused, as Locatello 2019."""
INFORMATIVE = 0.01
"""Nats of KL above which UDR takes a dimension for used (Duan 2020, section 4)."""


def disentanglement_metrics(codes: Floats, truth: FactorTable, seed: int = 0) -> dict[str, float]:
    """Return all measures of codes [N,D] against known factors, by name."""
    dci = dci_scores(codes, truth, seed)
    return {
        "mig": mutual_information_gap(codes, truth),
        "sap": separated_attribute_predictability(codes, truth, seed),
        "factor_score": factor_score(codes, truth, seed),
        "dci": dci.disentanglement,
        "dci_completeness": dci.completeness,
        "dci_informativeness": dci.informativeness,
    }


def mutual_information_gap(codes: Floats, truth: FactorTable) -> float:
    """Return MIG (Chen 2018, eq. 6): the gap in mutual information with a factor between the two best dimensions.

    In shares of the factor's entropy, averaged over factors; codes are cut into bins of equal width.
    """
    levels = truth.levels()
    binned = np.stack([_binned(column) for column in codes.T], 1)
    gaps = []
    for level in levels.T:
        information = [mutual_info_score(level, column) for column in binned.T]
        gaps.append(_gap(information) / mutual_info_score(level, level))  # that is its entropy
    return float(np.mean(gaps))


def separated_attribute_predictability(codes: Floats, truth: FactorTable, seed: int = 0) -> float:
    """Return SAP (Kumar 2018, section 3): the gap between the two dimensions that predict a factor best.

    An ordered factor is predicted linearly (R^2), another by thresholds (balanced accuracy on the other half).
    """
    train = _half(len(codes), seed)
    gaps = []
    for factor, column in zip(truth.factors, truth.values.T, strict=True):
        predict = _linear_share if factor.ordered else _threshold_accuracy
        gaps.append(_gap([predict(code, column, train) for code in codes.T]))
    return float(np.mean(gaps))


def factor_score(codes: Floats, truth: FactorTable, seed: int = 0, votes: int = VOTES) -> float:
    """Return the FactorVAE score (Kim & Mnih 2018, section 4): how well the dimension of least variance predicts the
    fixed factor.

    A vote draws pictures that agree in one factor; the dimension of least relative variance among them votes for it. A
    majority classifier learns from half of the votes and is right on this share of the others. Factors take
    turns rather than being drawn, which removes that part of chance.
    """
    random = np.random.default_rng(seed)
    used = np.flatnonzero(codes.var(0) > LEAST_SPREAD)
    if not len(used):
        return 0.0
    scaled = codes[:, used] / codes[:, used].std(0)
    levels = truth.levels()
    fixed = np.arange(votes) % levels.shape[1]
    least_varying = np.array([scaled[_agreeing(levels[:, k], random)].var(0).argmin() for k in fixed])
    counts = np.zeros((len(used), levels.shape[1]))
    np.add.at(counts, (least_varying[: votes // 2], fixed[: votes // 2]), 1)
    return float((counts.argmax(1)[least_varying[votes // 2 :]] == fixed[votes // 2 :]).mean())


class DCI(NamedTuple):
    """The three scores of Eastwood & Williams 2018."""

    disentanglement: float
    """Whether a dimension is informative of one factor only."""
    completeness: float
    """Whether a factor is captured by one dimension only."""
    informativeness: float
    """How well all dimensions together predict the factors: R^2 or accuracy on the other half."""


def dci_scores(codes: Floats, truth: FactorTable, seed: int = 0) -> DCI:
    """Return DCI (Eastwood & Williams 2018, section 2) with the importances of random forests, their second choice."""
    train = _half(len(codes), seed)
    importance = np.zeros((codes.shape[1], len(truth.factors)))
    scores = []
    for number, (factor, column) in enumerate(zip(truth.factors, truth.values.T, strict=True)):
        kind = RandomForestRegressor if factor.ordered else RandomForestClassifier
        forest = kind(n_estimators=10, max_depth=10, min_samples_leaf=5, random_state=seed)
        forest.fit(codes[train], column[train])
        importance[:, number] = forest.feature_importances_
        scores.append(max(0.0, forest.score(codes[~train], column[~train])))
    return _dci(importance, scores)


def _dci(importance: Floats, scores: Sequence[float]) -> DCI:
    """Return the scores for importances [D,F]: eq. 1 of section 2 along either axis, weighted by what there is."""
    total = max(float(importance.sum()), 1e-12)
    by_dimension, by_factor = importance.sum(1) / total, importance.sum(0) / total
    return DCI(
        float((by_dimension * _one_sidedness(importance)).sum()),
        float((by_factor * _one_sidedness(importance.T)).sum()),
        float(np.mean(scores)),
    )


def unsupervised_rank(codes: Sequence[Floats], divergences: Sequence[Floats]) -> list[float]:
    """Return UDR (Duan 2020, eq. 3) of each of several models of one recipe and different seeds: do they agree?

    `codes` [N,D] are of the same images by each model, `divergences` [D] its mean KL per dimension in nats. Dimensions
    are likened by rank correlation (the Spearman form, section 4). A model's score is the median over the others.
    """
    if len(codes) < 2:
        raise ValueError(f"there is {len(codes)} model; UDR compares at least two of one recipe and different seeds")
    ranks = [_ranked(code) for code in codes]
    used = [divergence > INFORMATIVE for divergence in divergences]
    score = np.full((len(codes), len(codes)), np.nan)
    for i, j in ((i, j) for i in range(len(codes)) for j in range(len(codes)) if i != j):
        score[i, j] = _likeness(np.abs(ranks[i].T @ ranks[j]), used[i], used[j])
    return [float(value) for value in np.nanmedian(score, axis=1)]


def _likeness(relation: Floats, left: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> float:
    if not (left.any() and right.any()):
        return 0.0
    by_column = relation.max(0) ** 2 / np.maximum(relation.sum(0), 1e-12)
    by_row = relation.max(1) ** 2 / np.maximum(relation.sum(1), 1e-12)
    return float((by_column[right].sum() + by_row[left].sum()) / (left.sum() + right.sum()))


def _ranked(codes: Floats) -> Floats:
    ranks = rankdata(codes, axis=0)
    ranks -= ranks.mean(0)
    return np.asarray(ranks / np.maximum(np.linalg.norm(ranks, axis=0), 1e-12))


def _one_sidedness(importance: Floats) -> Floats:
    """Return 1 - entropy of each row's shares, to the base of their number: 1 where all lies in one column."""
    shares = importance / np.maximum(importance.sum(1, keepdims=True), 1e-12)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1) / np.log(importance.shape[1])
    return np.asarray(np.where(importance.sum(1) > 0, 1 - entropy, 0.0))


def _gap(values: Sequence[float]) -> float:
    second, first = sorted([0.0, 0.0, *values])[-2:]
    return float(first - second)


def _binned(column: Floats) -> Ints:
    edges = np.histogram_bin_edges(column, CODE_BINS)
    return np.digitize(column, edges[1:-1])


def _half(count: int, seed: int) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).permutation(count) < count // 2


def _linear_share(code: Floats, values: Floats, train: npt.NDArray[np.bool_]) -> float:
    mean, spread = code[train].mean(), max(float(code[train].var()), 1e-12)
    slope = ((code[train] - mean) * values[train]).mean() / spread
    fitted = values[train].mean() + slope * (code[~train] - mean)
    return max(0.0, float(r2_score(values[~train], fitted)))


def _threshold_accuracy(code: Floats, values: Floats, train: npt.NDArray[np.bool_]) -> float:
    classes = len(np.unique(values))
    tree = DecisionTreeClassifier(max_leaf_nodes=max(2, classes), class_weight="balanced", random_state=0)
    tree.fit(code[train, None], values[train])
    return float(balanced_accuracy_score(values[~train], tree.predict(code[~train, None])))


def _agreeing(level: Ints, random: np.random.Generator) -> Ints:
    """Return some pictures, with replacement, that share one level drawn at random among the levels there are."""
    chosen = random.choice(np.unique(level))
    return random.choice(np.flatnonzero(level == chosen), VOTERS)
