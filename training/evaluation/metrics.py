"""Figures of retrieval, each a weighted mean over queries, for one sample of queries or for a thousand at once."""

import numpy as np
import numpy.typing as npt

from training.data.vocabulary import Vocabulary
from training.evaluation.retrieval import VALUES, Floats, Labelled, Outcomes, retrieve

AUC, MELANOMA = "auc_malignant_16", "melanoma_p_at_5"
HEADLINE = ("p_at_1_macro", "p_at_5_macro", "knn5_balanced", MELANOMA, AUC)
"""Shown first. The last two need a collection that says what is malignant, and one of these a melanoma."""
MACRO_AND_MICRO = {
    "p_at_1": ("p_at_1_macro", "p_at_1_micro"),
    "p_at_5": ("p_at_5_macro", "p_at_5_micro"),
    "p_at_10": ("p_at_10_macro", "p_at_10_micro"),
    "map_10": ("map_10_macro", "map_10_micro"),
    "knn5": ("knn5_balanced", "knn5_accuracy"),
    "knn5_by_prior": ("knn5_balanced_by_prior", "knn5_accuracy_by_prior"),
    "knn16": ("knn16_balanced", "knn16_accuracy"),
    "knn16_by_prior": ("knn16_balanced_by_prior", "knn16_accuracy_by_prior"),
}
"""Names of the mean over diagnoses and of the mean over queries of each of `VALUES`."""


def retrieval_metrics(
    queries: Labelled, gallery: Labelled, weights: Floats, vocabulary: Vocabulary
) -> dict[str, float]:
    """Return the figures of `figures` for these queries, each counting once."""
    outcomes = retrieve(queries, gallery, weights, vocabulary)
    return {name: float(values[0]) for name, values in figures(outcomes, counted_once(outcomes)).items()}


def counted_once(outcomes: Outcomes) -> Floats:
    """Return the sample [1,Q] in which each query counts once."""
    return np.ones((1, len(outcomes.truth)))


def figures(outcomes: Outcomes, counts: Floats) -> dict[str, Floats]:
    """Return each figure [R] by name, given how often each query counts in each of R samples, `counts` [R,Q].

    `macro` and `balanced` average over the diagnoses that the sample has, `micro` and `accuracy` over its queries.
    `auc_malignant_16` ranks queries by the share of malignant diagnoses among the votes of 16 matches;
    `melanoma_p_at_5` is the share of melanomas among 5 matches of one. The collection says which diagnoses these are.
    A figure is NaN for a sample without such queries, and left out where there are none at all.
    """
    per_class, per_query = by_diagnosis(outcomes, counts), overall(outcomes, counts)
    result: dict[str, Floats] = {}
    for number, value in enumerate(VALUES):
        macro, micro = MACRO_AND_MICRO[value]
        result |= {macro: _mean(per_class[:, :, number]), micro: per_query[:, number]}
    melanoma, malignant = outcomes.vocabulary.is_melanoma, outcomes.vocabulary.is_malignant
    if (queries := melanoma[outcomes.truth]).any():
        share = melanoma[outcomes.found[:, :5]].mean(1)
        with np.errstate(invalid="ignore"):
            result["melanoma_p_at_5"] = counts @ (queries * share) / (counts @ queries)
    if malignant[outcomes.truth].any() and not malignant[outcomes.truth].all():
        for name, shares in (("", outcomes.shares), ("_by_prior", outcomes.shares_by_prior)):
            score = shares[:, malignant].sum(1)
            result[f"auc_malignant_16{name}"] = area_under_curve(score, malignant[outcomes.truth], counts)
    return result


def by_diagnosis(outcomes: Outcomes, counts: Floats) -> Floats:
    """Return the means [R,C,8] of `VALUES` over the queries of each diagnosis; NaN where a sample has none."""
    classes = len(outcomes.vocabulary)
    member = np.eye(classes)[outcomes.truth]  # [Q,C]
    summed = counts @ (member[:, :, None] * outcomes.values[:, None, :]).reshape(len(member), -1)  # [R,C*8]
    sizes = counts @ member  # [R,C]
    with np.errstate(invalid="ignore"):
        return np.asarray(summed.reshape(-1, classes, len(VALUES)) / sizes[:, :, None])


def overall(outcomes: Outcomes, counts: Floats) -> Floats:
    """Return the means [R,8] of `VALUES` over queries."""
    return np.asarray(counts @ outcomes.values / counts.sum(1, keepdims=True))


def area_under_curve(scores: Floats, positive: npt.NDArray[np.bool_], counts: Floats) -> Floats:
    """Return the chance [R] that a positive scores above a negative, ties counting half (Mann & Whitney 1947).

    Scores and signs are [Q]; `counts` [R,Q] is how often each query counts.
    """
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    ups = np.add.reduceat((counts * positive)[:, order], starts, axis=1)  # [R,U], by rising score
    downs = np.add.reduceat((counts * ~positive)[:, order], starts, axis=1)
    below = np.cumsum(downs, 1) - downs / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((ups * below).sum(1) / (ups.sum(1) * downs.sum(1)))


def _mean(values: Floats) -> Floats:
    # The mean over columns [R,C] that are not NaN; every sample has a query, so none lacks them all.
    return np.asarray(np.nansum(values, 1) / (~np.isnan(values)).sum(1))
