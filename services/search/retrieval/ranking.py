"""Rank the nearest cases exactly: the engine proposes candidates in float32, float64 decides."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.conditions import Condition
from services.search.retrieval.deduplication import Group, collapse, each_alone
from services.search.retrieval.query import ResolvedQuery, of_lesions, without_lesions
from services.search.retrieval.query_point import QueryPoint
from services.search.vector_store.payload import point_id
from services.search.vector_store.port import IndexView, StoredCase

Floats = NDArray[np.float64]

MOST_CANDIDATES = 16_384
"""Candidates that one search reads at most."""
MOST_EXCLUDED = 512
"""Lesions that one search leaves out by filter at most."""
SIBLINGS = 256
"""Cases of left-out lesions that one search reads to list them behind their matches."""
_SLOWLY, _FAST = 2, 12
"""Factors by which the limit grows: after lesions were left out, and when that cannot help (copies, ties)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """L cases with their distances to the point that they are ranked by."""

    cases: Sequence[StoredCase]
    x: Floats
    """[L, D]"""
    terms: Floats
    """[L, D], squared distance by dimension."""
    squared: Floats
    """[L]"""

    @staticmethod
    def of(cases: Sequence[StoredCase], target: QueryPoint) -> "Candidates":
        """Compute the distances of `cases`."""
        D = len(target.point)
        x = np.concatenate([stored.latent for stored in cases], dtype=np.float64) if cases else np.empty(0)
        terms = target.from_point(x := x.reshape(-1, D))
        return Candidates(cases, x, terms, terms.sum(1))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Groups of cases, nearest first."""

    query: ResolvedQuery
    """With the lesions of cases that were recognised as the query itself."""
    candidates: Candidates
    groups: Sequence[Group]
    same: Sequence[int] = ()
    """Rows of candidates that are the query's picture, up to what re-saving it changes."""
    truncated: bool = False
    """Whether `MOST_CANDIDATES` were read and farther cases may be missing."""

    def shown(self, groups: Sequence[Group]) -> list[StoredCase]:
        """The matches of these groups."""
        return [self.candidates.cases[group.row] for group in groups]


@dataclass(frozen=True, slots=True)
class Ranker:
    """Ranks cases of one revision of an index."""

    view: IndexView
    duplicate_within: float
    """Unweighted distance up to which two latents are of one picture."""

    def nearest(self, query: ResolvedQuery, count: int, *, one_per_lesion: bool) -> Ranking:
        """The `count` nearest groups by distance to the query's point, ties by id.

        With `one_per_lesion`, cases that are the query itself are recognised and left out with their lesions.

        More candidates are read until the last is farther than the last group by more than float32 can err: then no
        unread case can belong among them. Lesions with a settled match are left out of the following reads, so a lesion
        with thousands of cases costs one more read.
        """
        limit = min(MOST_CANDIDATES, first_limit(count, one_per_lesion=one_per_lesion))
        left_out = [point_id(case_id) for case_id in query.examples | query.itself]
        excluded: frozenset[str] = frozenset()
        kept: list[StoredCase] = []
        while True:
            conditions = without_lesions(query.conditions, query.lesions | excluded)
            cases, beyond = self._read(query.target, conditions, limit, left_out)
            ranking = self._rank(query, [*kept, *cases], count, one_per_lesion)
            query = ranking.query
            full = len(ranking.groups) == count and _settled(ranking, ranking.groups[-1], beyond)
            if beyond == math.inf or full:
                return self._with_siblings(ranking, excluded, count) if excluded else ranking
            if limit == MOST_CANDIDATES:
                return replace(ranking, truncated=True)
            excluded = _settled_lesions(ranking, beyond) if one_per_lesion else excluded
            kept = [stored for stored in ranking.candidates.cases if stored.case.lesion_id in excluded]
            known = excluded | query.lesions
            of_lesion = sum(stored.case.lesion_id in known for stored in cases)
            limit = min(MOST_CANDIDATES, limit * (_SLOWLY if 2 * of_lesion >= len(cases) else _FAST))

    def _read(
        self, target: QueryPoint, conditions: Sequence[Condition], limit: int, without: Collection[UUID] = ()
    ) -> tuple[list[StoredCase], float]:
        """The nearest cases, and a squared distance in float32 accuracy that no other case is nearer than."""
        hits = self.view.nearest(target.metric, target.point, conditions, limit, without)
        cases = [stored for stored in self.view.read(hits.points) if stored is not None]
        return cases, hits.squared[-1] if len(hits.points) == limit else math.inf

    def _rank(self, query: ResolvedQuery, cases: Sequence[StoredCase], count: int, one_per_lesion: bool) -> Ranking:
        candidates = Candidates.of(cases, query.target)
        if not one_per_lesion:
            order = _by_distance(candidates, _matching(query, cases, []))
            return Ranking(query, candidates, each_alone(order[:count]))
        # an encoder repeats itself, and re-saving a picture moves its latent a little
        same: list[int] = np.flatnonzero(query.target.apart(candidates.x) <= self.duplicate_within).tolist()
        lesions = {cases[row].case.lesion_id for row in same} - {None}
        query = replace(query, lesions=query.lesions.union(filter(None, lesions)))
        order = _by_distance(candidates, _matching(query, cases, same))
        groups = collapse(order, cases, candidates.x, candidates.squared, self.duplicate_within, count)
        return Ranking(query, candidates, groups, same=same)

    def _with_siblings(self, ranking: Ranking, excluded: frozenset[str], count: int) -> Ranking:
        """The same ranking with the cases of left-out lesions that lie nearer than the last match."""
        shown = {stored.case.lesion_id for stored in ranking.shown(ranking.groups)}
        lesions = frozenset(lesion for lesion in excluded if lesion in shown)
        if not lesions:
            return ranking
        query = ranking.query
        siblings, beyond = self._read(query.target, (*query.conditions, of_lesions(lesions)), SIBLINGS)
        cases = {stored.case.id: stored for stored in (*ranking.candidates.cases, *siblings)}
        complete = self._rank(query, list(cases.values()), count, one_per_lesion=True)
        full = len(complete.groups) == count
        if beyond != math.inf and not (full and _settled(complete, complete.groups[-1], beyond)):
            for group, stored in zip(complete.groups, complete.shown(complete.groups), strict=True):
                group.more_hidden |= stored.case.lesion_id in lesions
        return complete


def first_limit(count: int, *, one_per_lesion: bool) -> int:
    """Candidates to read first: enough for nine in ten searches, as lesions have few cases and ties are rare."""
    return 2 * count + 8 if one_per_lesion else count + 2


def _matching(query: ResolvedQuery, cases: Sequence[StoredCase], same: Sequence[int]) -> list[int]:
    """Rows of cases that may be matches: neither examples, nor the query itself (rows `same`), nor of its lesions."""
    if not (query.lesions or query.examples or same):
        return list(range(len(cases)))
    different = np.ones(len(cases), bool)
    different[same] = False
    rows: list[int] = np.flatnonzero(different).tolist()
    lesions, examples = query.lesions, query.examples
    return [row for row in rows if cases[row].case.lesion_id not in lesions and cases[row].case.id not in examples]


def _by_distance(candidates: Candidates, rows: list[int]) -> list[int]:
    """Rows by squared distance, ties by id; ids are compared only if there are ties."""
    squared: list[float] = candidates.squared.tolist()
    order = sorted(rows, key=squared.__getitem__)
    if len(set(squared)) < len(squared):
        order.sort(key=lambda row: (squared[row], candidates.cases[row].case.id))
    return order


def _settled(ranking: Ranking, group: Group, beyond: float) -> bool:
    """Whether no unread case can be nearer than a group, if those are `beyond` or farther in float32 accuracy."""
    squared, target = float(ranking.candidates.squared[group.row]), ranking.query.target
    return beyond > squared + target.metric.error_bound(target.point, squared)


def _settled_lesions(ranking: Ranking, beyond: float) -> frozenset[str]:
    """Lesions whose match is settled, at most `MOST_EXCLUDED`."""
    settled = [group for group in ranking.groups if _settled(ranking, group, beyond)]
    lesions = [stored.case.lesion_id for stored in ranking.shown(settled)]
    return frozenset([lesion for lesion in lesions if lesion is not None][:MOST_EXCLUDED])
