"""Search: from a request to matches and neighbour statistics."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from casekin.contracts.base import CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.conditions import Filters
from casekin.contracts.facets import Facets
from casekin.contracts.search import SearchRequest, SearchResponse
from services.search.retrieval.collection_counts import CollectionCounts, CountsCache
from services.search.retrieval.deduplication import Group
from services.search.retrieval.facets import condition_effects, count_facets
from services.search.retrieval.metric import check_version
from services.search.retrieval.mmr import distances_between, diverse
from services.search.retrieval.neighbour_votes import NeighbourVoting
from services.search.retrieval.own_lesion import OwnLesions
from services.search.retrieval.query import resolve
from services.search.retrieval.ranking import Ranker, Ranking
from services.search.retrieval.results import ResultBuilder, ordered
from services.search.retrieval.similarity import Similarity
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.payload import point_id
from services.search.vector_store.port import CaseIndex, IndexView, StoredCase

POOL = 256
"""Nearest cases among which diverse ones are chosen, on every page the same."""


class Searcher:
    """Nearest cases and facets of one collection."""

    def __init__(self, index: CaseIndex, manifest: BundleManifest, description: CollectionInfoStore) -> None:
        self._manifest = manifest
        self._description = description
        self._similarity = Similarity(manifest)
        self._voting = NeighbourVoting(manifest)
        self._same_within = manifest.same_picture_within
        self._counts = CountsCache(index)
        self._own_lesions = OwnLesions()

    def counts(self) -> CollectionCounts:
        """Collection-wide counts of the current revision."""
        return self._counts.current()

    def facets(self, filters: Filters) -> Facets:
        """Counts by value; raises `BadInput` for a field or value that the collection does not have."""
        counts = self._counts.current()
        counts.check(filters, self._description.vocabulary)
        return count_facets(counts, filters)

    def search(self, request: SearchRequest) -> SearchResponse:
        """The nearest cases; raises `WrongLatent`, `WrongWeights`, `BadInput`, `NotFound`."""
        check_version(self._manifest, request.bundle_version)
        counts = self._counts.current()
        counts.check(request.filters, self._description.vocabulary)
        query = resolve(request, self._manifest, partial(_read, counts.view))
        ranker = Ranker(counts.view, self._same_within)
        count = POOL if request.diversity else max(request.offset + request.k + 1, self._voting.count)
        ranking = ranker.nearest(query, count, one_per_lesion=request.one_per_lesion)
        return self._answer(request, counts, ranker, ranking)

    def _answer(
        self, request: SearchRequest, counts: CollectionCounts, ranker: Ranker, ranking: Ranking
    ) -> SearchResponse:
        shown = _chosen(ranking, request)
        page = slice(request.offset, request.offset + request.k)
        query = ranking.query
        results = ResultBuilder(ranking, query.target, self._similarity)
        passing = counts.passing(request.filters)
        weights = self._description.read().evidence_weights
        nearest, latents = results.neighbours(self._voting.count), query.target.images
        collection = counts.values("diagnosis")
        statistics = self._voting.statistics(nearest, request, latents, collection, weights)
        return SearchResponse(
            matches=ordered(results.matches(shown[page], statistics, collection), request.sort, weights),
            statistics=statistics,
            passing=passing,
            revision=counts.revision,
            more=len(shown) > page.stop,
            truncated=ranking.truncated,
            own=self._own_lesions.cases(ranker, ranking) if request.one_per_lesion or query.lesions else [],
            excluded_by=condition_effects(counts, request.filters) if not passing else [],
        )


def _read(view: IndexView, ids: Sequence[CaseId]) -> list[StoredCase]:
    """The stored ones of `ids`, from the view's cache where it has them."""
    return [stored for stored in view.read([point_id(case_id) for case_id in ids]) if stored is not None]


def _chosen(ranking: Ranking, request: SearchRequest) -> list[Group]:
    """Up to this page and one more: the nearest, or with diversity those that differ."""
    groups, count = list(ranking.groups), request.offset + request.k + 1
    if not request.diversity or not groups:
        return groups[:count]
    rows = [group.row for group in groups]
    scaled = ranking.candidates.x[rows] * np.sqrt(ranking.query.target.metric.weights)
    distances = np.sqrt(ranking.candidates.squared[rows])
    return [groups[i] for i in diverse(distances, distances_between(scaled), request.diversity, count)]
