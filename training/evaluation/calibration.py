"""Reliability of the class head's probabilities, of neighbours' votes and of similarities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.bootstrap import Interval, interval, samples
from training.evaluation.neighbour_votes import CaseDetails, MatchSimilarity
from training.evaluation.retrieval import NEIGHBOURS, Floats, Outcomes, nearest_lesions
from training.evaluation.split import Split, Vectors

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Statements with a confidence in (low, high]; the first bin has 0 too."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Mean stated confidence; None for an empty bin."""
    share: float | None
    """Share of the statements that were correct."""


@dataclass(frozen=True)
class Reliability:
    """Confidence against truth."""

    name: str
    bins: list[Bin]
    error: Interval
    """Expected calibration error, ECE = sum over bins of (count / N) x |share - confidence| (Guo 2017, eq. 3), with ten
    bins of equal width."""
    accuracy: float
    confidence: float
    """Mean over all."""


def reliability(
    name: str, confidence: Floats, correct: Floats | np.ndarray, lesions: Sequence[str] | np.ndarray
) -> Reliability:
    """Return the reliability of confidences [N] in 0..1, given which were correct [N]; lesions [N] are resampled."""
    place = np.clip(np.ceil(np.asarray(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    names, lesion = np.unique(np.asarray(lesions), return_inverse=True)
    # Per lesion and bin [3,L,B]: count, sum of confidence, sum of correct. A sample is a weighted sum over lesions.
    table = np.zeros((3, len(names), BINS))
    for layer, value in enumerate((np.ones(len(place)), confidence, correct)):
        np.add.at(table[layer], (lesion, place), value)
    counts, stated, correct_sum = table.sum(1)
    drawn = samples(names) @ table.transpose(0, 1, 2)  # [3,R,B]
    return Reliability(
        name=name,
        bins=[_bin(number, counts[number], stated[number], correct_sum[number]) for number in range(BINS)],
        error=interval(float(_error(counts, stated, correct_sum)), _error(*drawn)),
        accuracy=float(correct_sum.sum() / counts.sum()),
        confidence=float(stated.sum() / counts.sum()),
    )


def of_probabilities(name: str, probabilities: Floats, outcomes: Outcomes) -> Reliability:
    """Return the reliability of the most probable diagnosis, probabilities [Q,C]."""
    correct = probabilities.argmax(1) == outcomes.truth
    return reliability(name, probabilities.max(1), correct, outcomes.lesions)


def divided_by_prior(probabilities: Floats, prior: Floats) -> Floats:
    """Return probabilities [N,C] as they would be were all diagnoses equally frequent, given their prior [C]."""
    balanced = probabilities / np.maximum(prior, 1e-12)
    return np.asarray(balanced / balanced.sum(1, keepdims=True))


def of_similarity(
    split: Split, vectors: Vectors, similarity: MatchSimilarity, details: CaseDetails | None = None
) -> Reliability:
    """Return whether matches of a stated similarity share the query's diagnosis as often as stated.

    The nearest case of each of a query's nearest lesions is one statement, as it is when similarity is fitted.
    `details` are those of the gallery's cases.
    """
    queries, gallery = (split.labelled(rows, vectors.latents) for rows in (split.queries, split.gallery))
    depth = min(NEIGHBOURS, len(set(gallery.lesions)))
    distances, order = nearest_lesions(queries, gallery, vectors.weights, depth)
    hits = gallery.labels[order] == queries.labels[:, None]
    lesions = np.repeat(np.asarray(queries.lesions), order.shape[1])
    known = CaseDetails.unknown(len(gallery.labels)) if details is None else details
    return reliability(vectors.name, similarity.of(gallery, order, distances, known).ravel(), hits.ravel(), lesions)


def _bin(number: int, count: float, stated: float, correct: float) -> Bin:
    return Bin(
        low=number / BINS,
        high=(number + 1) / BINS,
        count=int(count),
        confidence=float(stated / count) if count else None,
        share=float(correct / count) if count else None,
    )


def _error(counts: Floats, stated: Floats, correct: Floats) -> Floats:
    return np.asarray(np.abs(correct - stated).sum(-1) / counts.sum(-1))
