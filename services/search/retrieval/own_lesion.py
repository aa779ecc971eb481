"""Cases of the query's own lesion, which are shown apart from the matches."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from casekin.contracts.search import OwnCase
from services.search.retrieval.query import Asked, of_lesions
from services.search.retrieval.ranking import Ranker
from services.search.vector_store.payload import point_id
from services.search.vector_store.port import StoredCase

OWN_SHOWN = 24
"""Cases that an answer lists at most, the nearest."""
_CACHED_LESIONS = 512


class OwnLesions:
    """Finds own cases; caches the cases of recent lesions per revision, since a page searches for one query repeatedly.

    Safe to share between threads: a cache is replaced with its revision, and single operations on it are atomic.
    """

    def __init__(self) -> None:
        self._cached: tuple[str, OrderedDict[frozenset[str], list[StoredCase]]] = ("", OrderedDict())

    def cases(self, ranker: Ranker, query: Asked) -> list[OwnCase]:
        """Cases that are the query itself and those of its lesions, nearest first, at most `OWN_SHOWN`."""
        points = [point_id(case_id) for case_id in query.itself]
        itself = [stored for stored in ranker.view.read(points) if stored is not None] if points else []
        siblings = self._of_lesions(ranker, query) if query.lesions else []
        return _own_cases([*itself, *siblings], query, ranker.duplicate_within)

    def _of_lesions(self, ranker: Ranker, query: Asked) -> list[StoredCase]:
        revision, cached = self._cached
        if revision != ranker.view.revision:
            cached = OrderedDict()
            self._cached = (ranker.view.revision, cached)
        if (known := cached.get(query.lesions)) is not None:
            return known
        siblings = Asked(query.target, (of_lesions(query.lesions),))
        ranking = ranker.nearest(siblings, OWN_SHOWN + 1, one_per_lesion=False)
        found = ranking.shown(ranking.groups)
        if len(found) <= OWN_SHOWN:  # all of them, whatever the query
            cached[query.lesions] = found
            if len(cached) > _CACHED_LESIONS:
                cached.popitem(last=False)
        return found


def _own_cases(cases: Sequence[StoredCase], query: Asked, same_within: float) -> list[OwnCase]:
    if not cases:
        return []
    x = np.array([stored.latent for stored in cases], np.float64)
    distances, apart = np.sqrt(query.target.terms(x).sum(1)).tolist(), query.target.apart(x).tolist()
    nearest = sorted(range(len(cases)), key=lambda row: (distances[row], cases[row].case.id))[:OWN_SHOWN]
    return [
        OwnCase(case=cases[row].case, distance=distances[row], same_picture=apart[row] <= same_within)
        for row in nearest
    ]
