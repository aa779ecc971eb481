"""Vector search and case reads of a Qdrant server at one revision."""

from collections.abc import Collection, Sequence
from functools import partial
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models as qm
from typing_extensions import override

from casekin.contracts.conditions import Condition
from services.search.vector_store.named_vectors import Metric
from services.search.vector_store.port import Hits, IndexView, StoredCase
from services.search.vector_store.search_plan import linked_from, plan_search
from services.search.vector_store.server.case_cache import Fetch, RevisionCache
from services.search.vector_store.server.client import Remote
from services.search.vector_store.server.collection_config import FULL_SCAN_KB, ServerOptions
from services.search.vector_store.server.filters import server_filter


class ServerView(IndexView):
    """Reads of `collection`, which has `cases` cases at `revision`; `fetch` reads cases from the server."""

    def __init__(
        self, remote: Remote, collection: str, options: ServerOptions, fetch: Fetch, revision: str, cases: int
    ) -> None:
        self._remote, self._collection, self._options, self._fetch = remote, collection, options, fetch
        self._revision, self.cases = revision, cases
        self._cache = RevisionCache()

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
        condition = server_filter(conditions, without)
        passing = None if condition is None else partial(self._estimate, condition)
        plan = plan_search(metric.space, self.cases, passing, linked_from(FULL_SCAN_KB, len(q)))
        answer = self._remote.call(
            lambda client: client.query_points(
                self._collection,
                query=metric.query_vector(q),
                using=metric.space,
                limit=limit,
                query_filter=condition,
                search_params=self._options.search_params(plan),
                with_payload=False,
                with_vectors=False,
            )
        )
        squared = metric.squared_distances([point.score for point in answer.points], q)
        return Hits([UUID(str(point.id)) for point in answer.points], squared)

    @override
    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        return self._cache.read(points, self._fetch)

    def _estimate(self, condition: qm.Filter) -> int:
        return self._remote.call(lambda client: client.count(self._collection, condition, exact=False)).count
