"""Cache of cases that is valid for one revision: reading cases takes longer than finding them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from services.search.vector_store.port import StoredCase
from services.search.vector_store.server.collection_config import CACHED_CASES

Fetch = Callable[[Sequence[UUID]], Mapping[UUID, StoredCase]]
"""Reads the cases of these points from the engine."""


class RevisionCache:
    """Cases by point, read at one revision or later; drop the cache with its revision."""

    def __init__(self, size: int = CACHED_CASES) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._cases: dict[int, StoredCase] = {}
        """By the UUID's number: a UUID computes its hash anew at each look-up."""

    def read(self, points: Sequence[UUID], fetch: Fetch) -> list[StoredCase | None]:
        """The case of each point, none if it has just been deleted; those not cached come from `fetch`."""
        cases = [self._cases.get(point.int) for point in points]
        missing = [point for point, case in zip(points, cases, strict=True) if case is None]
        if not missing:
            return cases
        found = fetch(missing)
        self._keep(found)
        return [found.get(point, case) for point, case in zip(points, cases, strict=True)]

    def _keep(self, found: Mapping[UUID, StoredCase]) -> None:
        with self._lock:
            self._cases.update((point.int, case) for point, case in found.items())
            for point in list(self._cases)[: max(0, len(self._cases) - self._size)]:
                del self._cases[point]
