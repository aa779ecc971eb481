"""Write-through cache of a small index: the engine takes longer to return cases than to find them.

It needs every write to pass through this process. `services.search.vector_store.server.case_cache` serves an index that
several processes write: it caches per revision.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from services.search.vector_store.edge.collection_config import CACHED_CASES
from services.search.vector_store.port import StoredCase


class WriteThroughCache:
    """Cases of one index: call `forget` before a write and `keep` after it.

    Reads need no lock. Writes must be serialised, as those of the index are.
    """

    def __init__(self) -> None:
        self._cases: dict[int, StoredCase] = {}
        """By the UUID's number: a UUID computes its hash anew at each look-up."""

    def read(self, points: Sequence[UUID]) -> list[StoredCase] | None:
        """The case of each point; none if one of them is not cached."""
        cases = self._cases
        try:
            return [cases[point.int] for point in points]
        except KeyError:
            return None

    def __len__(self) -> int:
        return len(self._cases)

    def all(self) -> list[StoredCase]:
        """Every cached case."""
        return list(self._cases.values())

    def keep(self, cases: Mapping[UUID, StoredCase]) -> None:
        """Add cases, if there is room for all of them."""
        if len(self._cases) + len(cases) <= CACHED_CASES:
            self._cases.update((point.int, case) for point, case in cases.items())

    def forget(self, points: Iterable[UUID]) -> None:
        """Remove cases."""
        for point in points:
            self._cases.pop(point.int, None)
