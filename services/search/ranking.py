"""The k nearest cases, exactly: the engine proposes in float32, float64 decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.search.index import CaseIndex, Condition, StoredCase
from services.search.spaces import Metric

Read = Callable[[Sequence[UUID]], list[StoredCase | None]]
"""Gives the case of each point; none where it has just been deleted."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A case with its true distance."""

    stored: StoredCase
    distance: float
    shares: list[float]
    """[D]: of each dimension in distance squared; sums to 1, or all 0 at distance 0."""


def nearest(
    index: CaseIndex,
    read: Read,
    metric: Metric,
    q: NDArray[np.float64],
    conditions: Sequence[Condition],
    k: int,
    *,
    one_per_lesion: bool,
) -> list[Ranked]:
    """The k nearest cases to q [D] under `conditions`, by distance, ties by id.

    More cases are asked for until the last of them is farther than the k-th match by more than float32 can err: then no
    case that was not proposed can belong among the matches, whatever its lesion.
    """
    vector = metric.vector(q)
    limit = 2 * k + 8 if one_per_lesion else k + 8
    while True:
        hits = index.nearest(metric.space, vector, conditions, limit)
        found = [stored for stored in read([hit.point for hit in hits]) if stored is not None]
        if not found:
            return []
        terms, squared = _distances(metric, q, found)
        order = sorted(range(len(found)), key=lambda i: (squared[i], found[i].case.id))
        chosen = _one_per_lesion(order, found)[:k] if one_per_lesion else order[:k]
        if len(hits) < limit or (len(chosen) == k and _settled(metric, q, squared[chosen[-1]], hits[-1].score)):
            return [_ranked(found[i], terms[i], squared[i]) for i in chosen]
        limit *= 4


def _distances(
    metric: Metric, q: NDArray[np.float64], found: Sequence[StoredCase]
) -> tuple[NDArray[np.float64], list[float]]:
    x = np.array([stored.latent for stored in found], np.float64)  # [L, D]
    terms = metric.weights * (q - x) ** 2  # [L, D]
    return terms, terms.sum(axis=1).tolist()


def _one_per_lesion(order: Sequence[int], found: Sequence[StoredCase]) -> list[int]:
    met: set[str] = set()
    kept = []
    for i in order:
        lesion = found[i].case.lesion_id
        if lesion is None:
            kept.append(i)
        elif lesion not in met:
            met.add(lesion)
            kept.append(i)
    return kept


def _settled(metric: Metric, q: NDArray[np.float64], squared: float, last_score: float) -> bool:
    return metric.squared(last_score, q) > squared + metric.error_bound(q, squared)


def _ranked(stored: StoredCase, terms: NDArray[np.float64], squared: float) -> Ranked:
    shares = terms / squared if squared > 0 else np.zeros_like(terms)
    return Ranked(stored, squared**0.5, shares.tolist())
