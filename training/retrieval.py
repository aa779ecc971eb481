"""How well neighbours agree with the query's diagnosis; a match of the query's own lesion never counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

MALIGNANT = ("akiec", "bcc", "mel")
"""As in Tschandl 2019: what a clinician must not miss."""
DEPTH = 16


@dataclass(frozen=True)
class Labelled:
    """Cases as evaluation sees them."""

    latents: Floats
    """[N,D]"""
    labels: Ints
    """[N], number of the diagnosis"""
    lesions: Sequence[str]
    """N ids"""


def neighbours(queries: Labelled, gallery: Labelled, weights: Floats, depth: int = DEPTH) -> tuple[Ints, Floats]:
    """Return positions in the gallery and distances [Q,depth] of the nearest cases of other lesions.

    distance^2 = sum of weight x (query - case)^2 over dimensions.
    """
    scale = np.sqrt(weights)
    x, y = queries.latents * scale, gallery.latents * scale
    squared = np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T, 0)
    _, codes = np.unique([*queries.lesions, *gallery.lesions], return_inverse=True)
    squared[codes[: len(x), None] == codes[None, len(x) :]] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :depth]
    return order, np.sqrt(np.take_along_axis(squared, order, 1))


def retrieval_metrics(
    queries: Labelled, gallery: Labelled, weights: Floats, classes: Sequence[str]
) -> dict[str, float]:
    """Return precision at 1 and 5, accuracies of neighbour votes, and AUC of malignancy, by name.

    `macro` and `balanced` average over diagnoses, `micro` over queries. `_by_prior` divides the votes by the
    diagnosis' share of the gallery. Ties of votes go to the diagnosis of the nearest among the tied.
    """
    order, _ = neighbours(queries, gallery, weights)
    found, truth = gallery.labels[order], queries.labels  # [Q,16], [Q]
    hit = found == truth[:, None]
    at_1, at_5 = hit[:, 0].astype(float), hit[:, :5].mean(1)
    prior = np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels)
    vote_5, vote_16 = _votes(found[:, :5], len(classes)), _votes(found, len(classes))
    by_prior = vote_16 / np.maximum(prior, 1e-12)
    result = {
        "p_at_1_macro": _macro(at_1, truth),
        "p_at_1_micro": float(at_1.mean()),
        "p_at_5_macro": _macro(at_5, truth),
        "p_at_5_micro": float(at_5.mean()),
        "knn5_accuracy": float((vote_5.argmax(1) == truth).mean()),
        "knn5_balanced": _macro((vote_5.argmax(1) == truth).astype(float), truth),
        "knn16_balanced": _macro((vote_16.argmax(1) == truth).astype(float), truth),
        "knn16_balanced_by_prior": _macro((by_prior.argmax(1) == truth).astype(float), truth),
    }
    if "mel" in classes and (melanoma := truth == list(classes).index("mel")).any():
        result["melanoma_p_at_5"] = float(at_5[melanoma].mean())
    malignant = np.isin(np.asarray(classes), MALIGNANT)
    if malignant[truth].any() and not malignant[truth].all():
        share = by_prior[:, malignant].sum(1) / by_prior.sum(1)
        result["auc_malignant_16"] = area_under_curve(malignant[found].mean(1), malignant[truth])
        result["auc_malignant_16_by_prior"] = area_under_curve(share, malignant[truth])
    return result


def area_under_curve(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a positive scores above a negative, ties counting half (Mann & Whitney 1947)."""
    _, tied = np.unique(scores, return_inverse=True)
    counts = np.bincount(tied)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[tied]
    ups = int(positive.sum())
    return float((rank[positive].sum() - ups * (ups + 1) / 2) / (ups * (len(scores) - ups)))


def _votes(found: Ints, classes: int) -> Floats:
    votes = np.stack([(found == number).sum(1) for number in range(classes)], 1).astype(float)  # [Q,C]
    # Less than a vote, and falling with the rank of a class's first match: only ties feel it.
    depth = found.shape[1]
    first = np.stack([np.where((found == n).any(1), (found == n).argmax(1), depth) for n in range(classes)], 1)
    return np.where(votes > 0, votes + 0.5 * (1 - first / depth) / depth, 0.0)


def _macro(values: Floats, truth: Ints) -> float:
    return float(np.mean([values[truth == label].mean() for label in np.unique(truth)]))
