"""Cases as the index holds them, remembered while nothing changes: reading them takes longer than finding them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from services.search.vector_store.edge.case_cache import MOST
from services.search.vector_store.port import StoredCase

Fetch = Callable[[Sequence[UUID]], Mapping[UUID, StoredCase]]
"""Asks the engine for the cases of these points."""


class RememberedCases:
    """Cases by the engine's ids; what it remembers is of one revision and forgotten with it.

    By the number of a UUID, for the UUID itself works its hash out anew each time.
    """

    def __init__(self, kept: int = MOST) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._held: tuple[str, dict[int, StoredCase]] = ("", {})

    def read(self, revision: str, points: Sequence[UUID], fetch: Fetch) -> list[StoredCase | None]:
        """The case of each point, none where it has just been deleted; `revision` is the one last read."""
        held = self._of(revision)
        cases = [held.get(point.int) for point in points]
        lacking = [point for point, case in zip(points, cases, strict=True) if case is None]
        if not lacking:
            return cases
        found = fetch(lacking)
        self._keep(held, found)
        return [found.get(point, case) for point, case in zip(points, cases, strict=True)]

    def _of(self, revision: str) -> dict[int, StoredCase]:
        held = self._held
        if held[0] != revision:
            held = self._held = (revision, {})
        return held[1]

    def _keep(self, held: dict[int, StoredCase], found: Mapping[UUID, StoredCase]) -> None:
        with self._lock:
            held.update((point.int, case) for point, case in found.items())
            for point in list(held)[: max(0, len(held) - self._kept)]:
                del held[point]
