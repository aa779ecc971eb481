"""Exact nearest-neighbour retrieval of queries in a gallery; cases of the query's own lesion are never matches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.data.vocabulary import Vocabulary

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

NEIGHBOURS = 16
"""Matches that are counted and that vote, as in Tschandl et al., Br J Dermatol 2019."""
CUT = 10
"""Matches that count for mean average precision."""
VALUES = ("p_at_1", "p_at_5", "p_at_10", "map_10", "knn5", "knn5_by_prior", "knn16", "knn16_by_prior")
"""Measured for each query, a number in 0..1 each."""


_BATCH = 512
"""Queries whose distances are in memory at a time."""


@dataclass(frozen=True)
class Labelled:
    """Latents of N cases with their diagnoses and lesions."""

    latents: Floats
    """[N,D]"""
    labels: Ints
    """[N], number of the diagnosis"""
    lesions: Sequence[str]
    """N ids"""


@dataclass(frozen=True)
class Outcomes:
    """Matches of Q queries; all figures are means over its rows."""

    vocabulary: Vocabulary
    truth: Ints
    """[Q], number of the diagnosis"""
    lesions: npt.NDArray[np.str_]
    """[Q]"""
    found: Ints
    """[Q,16], diagnoses of the matches, nearest first"""
    shares: Floats
    """[Q,C], of the votes of 16 matches"""
    shares_by_prior: Floats
    """[Q,C], likewise, votes divided by the diagnosis' share of the gallery"""
    values: Floats
    """[Q,8], in the order of `VALUES`"""

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Outcomes":
        """Return the outcomes of these queries only."""
        return replace(
            self,
            truth=self.truth[rows],
            lesions=self.lesions[rows],
            found=self.found[rows],
            shares=self.shares[rows],
            shares_by_prior=self.shares_by_prior[rows],
            values=self.values[rows],
        )


def neighbours(queries: Labelled, gallery: Labelled, weights: Floats, depth: int = NEIGHBOURS) -> tuple[Ints, Floats]:
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


def nearest_lesions(queries: Labelled, gallery: Labelled, weights: Floats, depth: int) -> tuple[Floats, Ints]:
    """Return distances and rows [Q, depth] of the nearest case of each of the `depth` nearest other lesions."""
    scale = np.sqrt(weights)
    x, y = queries.latents * scale, gallery.latents * scale
    _, lesions = np.unique(gallery.lesions, return_inverse=True)
    if depth > lesions.max() + 1:
        raise ValueError(f"the gallery has {lesions.max() + 1} lesions; {depth} neighbours need as many")
    rows = np.empty((len(x), depth), np.int64)
    for start in range(0, len(x), _BATCH):
        part = x[start : start + _BATCH]
        squared = (part**2).sum(1)[:, None] + (y**2).sum(1) - 2 * part @ y.T
        for place, order in enumerate(np.argsort(squared, axis=1, kind="stable"), start=start):
            _, first = np.unique(lesions[order], return_index=True)
            rows[place] = order[np.sort(first)[:depth]]
    return np.linalg.norm(x[:, None] - y[rows], axis=2), rows


def retrieve(queries: Labelled, gallery: Labelled, weights: Floats, vocabulary: Vocabulary) -> Outcomes:
    """Return the matches of each query in the gallery under `weights` [D].

    `p_at_k` is the share of the first k matches that have the query's diagnosis. `map_10` is the average precision
    AP@10 = (sum over k = 1..10 of rel_k x P@k) / min(10, R), with rel_k = 1 where match k has the query's diagnosis and
    R the number of gallery cases of other lesions that have it (Manning 2008, eq. 8.8, cut at 10; 0 where R = 0).
    `knn5` and `knn16` are 1 where most of 5 or 16 matches have the diagnosis, `_by_prior` where they do after votes
    were divided by the diagnosis' share of the gallery; a tie goes to the diagnosis of the nearest among the tied.
    """
    order, _ = neighbours(queries, gallery, weights)
    classes = len(vocabulary)
    found, truth = gallery.labels[order], queries.labels  # [Q,16], [Q]
    hits = (found == truth[:, None]).astype(float)
    prior = np.maximum(np.bincount(gallery.labels, minlength=classes) / len(gallery.labels), 1e-12)
    precision = [hits[:, 0], hits[:, :5].mean(1), hits[:, :CUT].mean(1), _average_precision(hits, queries, gallery)]
    votes = [_decisive(found[:, :5], classes), _decisive(found, classes)]  # 2 x [Q,C]
    elected = [(counted / by).argmax(1) == truth for counted in votes for by in (np.ones_like(prior), prior)]
    counts = _counts(found, classes)
    return Outcomes(
        vocabulary=vocabulary,
        truth=truth,
        lesions=np.asarray(queries.lesions, dtype=str),
        found=found,
        shares=counts / counts.sum(1, keepdims=True),
        shares_by_prior=(counts / prior) / (counts / prior).sum(1, keepdims=True),
        values=np.stack([*precision, *elected], 1).astype(float),
    )


def _average_precision(hits: Floats, queries: Labelled, gallery: Labelled) -> Floats:
    hits = hits[:, :CUT]
    precision = np.cumsum(hits, 1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits * precision).sum(1) / np.clip(_relevant(queries, gallery), 1, CUT))


def _relevant(queries: Labelled, gallery: Labelled) -> Ints:
    """Return how many cases of other lesions have the diagnosis of each query [Q]."""
    classes = int(max(queries.labels.max(), gallery.labels.max())) + 1
    own = [f"{lesion} {label}" for lesion, label in zip(gallery.lesions, gallery.labels, strict=True)]
    names, counts = np.unique(own, return_counts=True)
    siblings = dict(zip(names.tolist(), counts.tolist(), strict=True))
    of_own = [siblings.get(f"{lesion} {n}", 0) for lesion, n in zip(queries.lesions, queries.labels, strict=True)]
    return np.asarray(np.bincount(gallery.labels, minlength=classes)[queries.labels] - np.array(of_own))


def _counts(found: Ints, classes: int) -> Floats:
    return np.stack([(found == number).sum(1) for number in range(classes)], 1).astype(float)  # [Q,C]


def _decisive(found: Ints, classes: int) -> Floats:
    votes, depth = _counts(found, classes), found.shape[1]
    # Less than a vote, and falling with the rank of a class's first match: only ties feel it.
    first = np.stack([np.where((found == n).any(1), (found == n).argmax(1), depth) for n in range(classes)], 1)
    return np.where(votes > 0, votes + 0.5 * (1 - first / depth) / depth, 0.0)
