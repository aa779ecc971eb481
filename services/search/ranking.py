"""The k nearest cases, exactly: the engine proposes in float32, float64 decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.search.index import Candidate, CaseIndex, Condition
from services.search.spaces import Metric


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its true distance."""

    candidate: Candidate
    distance: float
    shares: list[float]
    """[D]: of each dimension in distance squared; sums to 1, or all 0 at distance 0."""


def nearest(
    index: CaseIndex,
    metric: Metric,
    q: NDArray[np.float64],
    conditions: Sequence[Condition],
    k: int,
    *,
    one_per_lesion: bool,
) -> list[Ranked]:
    """The k nearest cases to q [D] under `conditions`, by distance, ties by id.

    More candidates are asked for until the last of them is farther than the k-th match by more than float32 can err:
    then no case that was not proposed can belong among the matches, whatever its lesion.
    """
    vector = metric.vector(q)
    limit = 2 * k + 8 if one_per_lesion else k + 8
    while True:
        candidates = index.nearest(metric.space, vector, conditions, limit)
        if not candidates:
            return []
        terms, squared = _distances(metric, q, candidates)
        order = sorted(range(len(candidates)), key=lambda i: (squared[i], candidates[i].payload["id"]))
        chosen = _one_per_lesion(order, candidates)[:k] if one_per_lesion else order[:k]
        if len(candidates) < limit or (
            len(chosen) == k and _settled(metric, q, squared[chosen[-1]], candidates[-1].score)
        ):
            return [_ranked(candidates[i], terms[i], squared[i]) for i in chosen]
        limit *= 4


def _distances(
    metric: Metric, q: NDArray[np.float64], candidates: Sequence[Candidate]
) -> tuple[NDArray[np.float64], list[float]]:
    x = np.array([candidate.latent for candidate in candidates])  # [L, D]
    terms = metric.weights * (q - x) ** 2  # [L, D]
    return terms, terms.sum(axis=1).tolist()


def _one_per_lesion(order: Sequence[int], candidates: Sequence[Candidate]) -> list[int]:
    met: set[str] = set()
    kept = []
    for i in order:
        lesion = candidates[i].payload.get("lesion_id")
        if lesion is None:
            kept.append(i)
        elif lesion not in met:
            met.add(lesion)
            kept.append(i)
    return kept


def _settled(metric: Metric, q: NDArray[np.float64], squared: float, last_score: float) -> bool:
    return metric.squared(last_score, q) > squared + metric.error_bound(q, squared)


def _ranked(candidate: Candidate, terms: NDArray[np.float64], squared: float) -> Ranked:
    shares = terms / squared if squared > 0 else np.zeros_like(terms)
    return Ranked(candidate, squared**0.5, shares.tolist())
