"""The nearest cases, exactly: the engine proposes in float32, float64 decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import Condition
from services.search.retrieval.deduplication import Group, collapsed, each_alone
from services.search.retrieval.query_point import Target
from services.search.vector_store.named_vectors import Metric
from services.search.vector_store.port import IndexView, StoredCase


@dataclass(frozen=True, slots=True)
class Ranking:
    """Groups of cases, nearest first."""

    found: Sequence[StoredCase]
    x: NDArray[np.float64]
    """[L, D], of all found."""
    terms: NDArray[np.float64]
    """[L, D], by dimension, of the squared distance to the point that they are ranked by."""
    squared: Sequence[float]
    """[L]"""
    groups: Sequence[Group]

    def shown(self, groups: Sequence[Group]) -> list[StoredCase]:
        """The cases that stand for these groups."""
        return [self.found[group.row] for group in groups]


@dataclass(frozen=True)
class Ranker:
    """Searches one revision of an index."""

    view: IndexView
    duplicate_within: float
    """Unweighted distance at which two latents are of one picture."""

    def nearest(
        self,
        target: Target,
        conditions: Sequence[Condition],
        count: int,
        *,
        collapse: bool,
        skipped: frozenset[CaseId] = frozenset(),
    ) -> Ranking:
        """The `count` groups nearest to the target's point, by distance, ties by id; `skipped` cases are passed over.

        More cases are asked for until the last of them is farther than the last group by more than float32 can err:
        then no case that was not proposed can belong among them, whatever its lesion.
        """
        limit = count + (count // 2 + 6 if collapse else 0) + 2 + len(skipped)
        while True:
            hits = self.view.nearest(target.metric, target.point, conditions, limit)
            found = [stored for stored in self.view.read([hit.point for hit in hits]) if stored is not None]
            found = [stored for stored in found if stored.case.id not in skipped] if skipped else found
            if not found:
                nothing = np.empty((0, len(target.point)))
                return Ranking([], nothing, nothing, [], [])
            ranking = self._rank(target, found, count, collapse)
            last = ranking.squared[ranking.groups[-1].row]
            full = len(ranking.groups) == count
            if len(hits) < limit or (full and _settled(target.metric, target.point, last, hits[-1].squared)):
                return ranking
            limit *= 4

    def _rank(self, target: Target, found: list[StoredCase], count: int, collapse: bool) -> Ranking:
        x = np.array([stored.latent for stored in found], np.float64)
        terms = target.from_point(x)
        squared = terms.sum(1).tolist()
        order = _by_distance(squared, found)
        groups = collapsed(order, found, x, self.duplicate_within) if collapse else each_alone(order[:count])
        kept = groups[:count]
        if collapse and len(kept) < len(groups):
            last = squared[kept[-1].row]
            for group in kept:
                group.hidden = [(row, reason) for row, reason in group.hidden if squared[row] <= last]
        return Ranking(found, x, terms, squared, kept)


def _by_distance(squared: Sequence[float], found: Sequence[StoredCase]) -> list[int]:
    """Rows by squared distance [L], ties by id; ids are looked at only where there are ties."""
    order = sorted(range(len(found)), key=squared.__getitem__)
    if len(set(squared)) < len(found):
        order.sort(key=lambda row: (squared[row], found[row].case.id))
    return order


def _settled(metric: Metric, point: NDArray[np.float64], squared: float, last: float) -> bool:
    return last > squared + metric.error_bound(point, squared)
