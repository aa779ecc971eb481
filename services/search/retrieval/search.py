"""The search itself: from a request to matches and what they say together."""

import numpy as np

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.conditions import Filters
from casekin.contracts.facets import Facets
from casekin.contracts.search import OwnCase, SearchRequest, SearchResponse
from services.search.retrieval.collection_counts import Census, CensusTaker
from services.search.retrieval.deduplication import Group
from services.search.retrieval.facets import count_facets, effects
from services.search.retrieval.metric import check_version
from services.search.retrieval.mmr import distances_between, diverse
from services.search.retrieval.neighbour_votes import NeighbourReader
from services.search.retrieval.query import Asked, case_reader, itself_among, resolve
from services.search.retrieval.ranking import Ranker, Ranking
from services.search.retrieval.results import Similarity, Teller, ordered, to_own
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.payload import point_id
from services.search.vector_store.port import CaseIndex

SAME_PICTURE = 1e-3
"""Unweighted distance below which two latents are of one picture: an encoder repeats itself to within rounding.
A bundle that measured how near re-saved pictures lie says more."""
POOL = 256
"""Nearest cases among which diverse ones are chosen, on every page the same."""
OWN_SHOWN = 24


class Searcher:
    """Nearest cases and facets of one collection."""

    def __init__(self, index: CaseIndex, manifest: BundleManifest, description: CollectionInfoStore) -> None:
        self._index = index
        self._manifest = manifest
        self._description = description
        self._similarity = Similarity(manifest)
        self._neighbours = NeighbourReader(manifest)
        near = manifest.neighbours.near_duplicate_distance if manifest.neighbours else 0.0
        self._same_within = max(SAME_PICTURE, near)
        self._census = CensusTaker(index)

    def census(self) -> Census:
        """What holds for the whole collection now."""
        return self._census.now()

    def facets(self, filters: Filters) -> Facets:
        """Counts by value; raises `BadInput` for a field or value that the collection does not have."""
        census = self._census.now()
        census.check(filters, self._description.vocabulary)
        return count_facets(self._index, census, filters)

    def search(self, request: SearchRequest) -> SearchResponse:
        """The nearest cases; raises `WrongLatent`, `WrongWeights`, `BadInput`, `NotFound`."""
        check_version(self._manifest, request.bundle_version)
        census = self._census.now()
        census.check(request.filters, self._description.vocabulary)
        ranker = Ranker(census.view, self._same_within)
        asked = resolve(request, self._manifest, case_reader(self._index.get))
        asked, ranking = _ranked(ranker, asked, request, self._neighbours.count)
        return self._answer(request, census, ranker, asked, ranking)

    def _answer(
        self, request: SearchRequest, census: Census, ranker: Ranker, asked: Asked, ranking: Ranking
    ) -> SearchResponse:
        shown = _chosen(ranking, asked, request)
        page = slice(request.offset, request.offset + request.k)
        teller = Teller(ranking, asked.target, self._similarity)
        passing = census.passing(request.filters)
        weights = self._description.read().evidence_weights
        near = teller.neighbours(self._neighbours.count)
        return SearchResponse(
            matches=ordered(teller.matches(shown[page]), request.sort, weights),
            statistics=self._neighbours.read(near, request, asked.target.images, census.values("diagnosis"), weights),
            passing=passing,
            revision=census.revision,
            more=len(shown) > page.stop,
            own=_own(ranker, asked) if request.one_per_lesion or asked.lesions else [],
            excluded_by=effects(census, request.filters) if not passing else [],
        )


def _ranked(ranker: Ranker, asked: Asked, request: SearchRequest, neighbours: int) -> tuple[Asked, Ranking]:
    """The ranking; ranked again where the first look finds the query itself among the cases."""
    collapse = request.one_per_lesion
    count = POOL if request.diversity else max(request.offset + request.k + 1, neighbours)

    def rank(asked: Asked) -> Ranking:
        return ranker.nearest(asked.target, asked.others, count, collapse=collapse, skipped=asked.skipped)

    ranking = rank(asked)
    if collapse and (own := itself_among(ranking, asked, ranker.duplicate_within)):
        asked = asked.recognising(own)
        ranking = rank(asked)
    return asked, ranking


def _chosen(ranking: Ranking, asked: Asked, request: SearchRequest) -> list[Group]:
    """Up to this page and one more: the nearest, or with diversity those that differ."""
    groups, count = list(ranking.groups), request.offset + request.k + 1
    if not request.diversity or not groups:
        return groups[:count]
    rows = [group.row for group in groups]
    scaled = ranking.x[rows] * np.sqrt(asked.target.metric.weights)
    distances = np.sqrt(np.array(ranking.squared)[rows])
    return [groups[i] for i in diverse(distances, distances_between(scaled), request.diversity, count)]


def _own(ranker: Ranker, asked: Asked) -> list[OwnCase]:
    """Cases of the own lesions, and those without a lesion that are the query itself."""
    points = [point_id(case_id) for case_id in sorted(asked.itself)]
    alone = [stored for stored in ranker.view.read(points) if stored is not None] if points else []
    own = to_own(alone, asked.target, ranker.duplicate_within)
    if asked.lesions:
        ranking = ranker.nearest(asked.target, (asked.of_own_lesions,), OWN_SHOWN, collapse=False)
        own += to_own(ranking.shown(ranking.groups), asked.target, ranker.duplicate_within)
    return sorted(own, key=lambda one: (one.distance, one.case.id))
