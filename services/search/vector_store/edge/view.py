"""Vector search and case reads of the embedded engine at one revision."""

from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

import numpy as np
import qdrant_edge as qe
from numpy.typing import NDArray
from typing_extensions import override

from casekin.contracts.conditions import Condition
from services.search.vector_store.edge.case_cache import WriteThroughCache
from services.search.vector_store.edge.collection_config import FULL_SCAN_KB, search_params
from services.search.vector_store.edge.filters import edge_filter
from services.search.vector_store.edge.shard import Shard, payload_of
from services.search.vector_store.named_vectors import Metric
from services.search.vector_store.payload import to_stored
from services.search.vector_store.port import Hits, IndexView, StoredCase
from services.search.vector_store.search_plan import linked_from, plan_search


class EdgeView(IndexView):
    """`cases` is the number of cases at `revision`."""

    def __init__(self, shard: Shard, cache: WriteThroughCache, revision: str, cases: int) -> None:
        self._shard, self._cache = shard, cache
        self._revision, self._cases = revision, cases

    @property
    @override
    def revision(self) -> str:
        return self._revision

    @override
    def nearest(
        self,
        metric: Metric,
        q: NDArray[np.float64],
        conditions: Sequence[Condition],
        limit: int,
        without: Collection[UUID] = (),
    ) -> Hits:
        condition = edge_filter(conditions, without)
        passing = None if condition is None else lambda: self._shard.count(condition, exact=False)
        plan = plan_search(metric.space, self._cases, passing, linked_from(FULL_SCAN_KB, len(q)))
        points = self._shard.query(
            qe.QueryRequest(
                limit=limit,
                query=qe.Query.Nearest(metric.query_vector(q), metric.space),
                filter=condition,
                with_payload=False,
                with_vector=False,
                params=search_params(plan),
            )
        )
        squared = metric.squared_distances([point.score for point in points], q)
        return Hits(cast(list[UUID], [point.id for point in points]), squared)

    @override
    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        if (cached := self._cache.read(points)) is not None:
            return [*cached]
        found = by_point(self._shard.retrieve(points, payload=True, vector=["visual"]))
        return [found.get(point) for point in points]


def by_point(records: Sequence[qe.Record]) -> dict[UUID, StoredCase]:
    """Stored cases by their point, from records with payload and the vector `visual`."""
    return {
        cast(UUID, one.id): to_stored(payload_of(one), cast(dict[str, Any], one.vector)["visual"]) for one in records
    }
