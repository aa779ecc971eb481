"""Cases of the query's own lesion, which are shown apart from the matches."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.search import OwnCase
from services.search.retrieval.query import ResolvedQuery, of_lesions
from services.search.retrieval.query_point import QueryPoint
from services.search.retrieval.ranking import Ranker, Ranking
from services.search.vector_store.payload import point_id
from services.search.vector_store.port import StoredCase

Floats = NDArray[np.float64]

OWN_SHOWN = 24
"""Cases that an answer lists at most, the nearest."""
_CACHED_LESIONS = 512


class OwnLesions:
    """Finds own cases; caches the cases of recent lesions per revision, since a page searches for one query repeatedly.

    Safe to share between threads: a cache is replaced with its revision, and single operations on it are atomic.
    """

    def __init__(self) -> None:
        self._cached: tuple[str, OrderedDict[frozenset[str], list[StoredCase]]] = ("", OrderedDict())

    def cases(self, ranker: Ranker, ranking: Ranking) -> list[OwnCase]:
        """Cases that are the query itself and those of its lesions, nearest first, at most `OWN_SHOWN`."""
        query = ranking.query
        siblings = self._of_lesions(ranker, query) if query.lesions else []
        itself = _itself(ranker, ranking) if ranking.same or query.itself else []
        return _own_cases([*itself, *siblings], query.target, ranker.duplicate_within)

    def _of_lesions(self, ranker: Ranker, query: ResolvedQuery) -> list[StoredCase]:
        revision, cached = self._cached
        if revision != ranker.view.revision:
            cached = OrderedDict()
            self._cached = (ranker.view.revision, cached)
        if (known := cached.get(query.lesions)) is not None:
            return known
        siblings = ResolvedQuery(query.target, (of_lesions(query.lesions),))
        ranking = ranker.nearest(siblings, OWN_SHOWN + 1, one_per_lesion=False)
        found = ranking.shown(ranking.groups)
        if len(found) <= OWN_SHOWN:  # all of them, whatever the query
            cached[query.lesions] = found
            if len(cached) > _CACHED_LESIONS:
                cached.popitem(last=False)
        return found


def _itself(ranker: Ranker, ranking: Ranking) -> list[StoredCase]:
    """The nearest cases without a lesion that are the query itself, and a case that the search started from."""
    candidates = ranking.candidates
    rows = [row for row in ranking.same if candidates.cases[row].case.lesion_id is None]
    squared = ranking.query.target.terms(candidates.x[rows]).sum(1)
    started_from = ranker.view.read([point_id(case_id) for case_id in ranking.query.itself])
    return [*_nearest([candidates.cases[row] for row in rows], squared), *filter(None, started_from)]


def _own_cases(cases: Sequence[StoredCase], target: QueryPoint, same_within: float) -> list[OwnCase]:
    if not cases:
        return []
    nearest = _nearest(cases, target.terms(_latents(cases)).sum(1))
    x = _latents(nearest)
    distances, apart = np.sqrt(target.terms(x).sum(1)).tolist(), target.apart(x).tolist()
    return [
        OwnCase(case=stored.case, distance=distance, same_picture=away <= same_within)
        for stored, distance, away in zip(nearest, distances, apart, strict=True)
    ]


def _nearest(cases: Sequence[StoredCase], squared: Floats) -> list[StoredCase]:
    """The first `OWN_SHOWN` cases by squared distance [L], ties by id."""
    last = np.sort(squared)[:OWN_SHOWN].max(initial=0.0)
    rows: list[int] = np.flatnonzero(squared <= last).tolist()
    rows.sort(key=lambda row: (squared[row], cases[row].case.id))
    return [cases[row] for row in rows[:OWN_SHOWN]]


def _latents(cases: Sequence[StoredCase]) -> Floats:
    """[L, D]"""
    return np.array([stored.latent for stored in cases], np.float64)
