"""Cases of a small index in memory: the engine takes longer to hand cases out than to find them.

Only where every write passes through this process, which then knows what has changed.
`services.search.vector_store.server.case_cache` serves the other indexes:
it keeps what was read until anything at all has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from services.search.vector_store.port import StoredCase

MOST = 16_384
"""Cases in memory: some 50 MB with 32 dimensions."""


class HeldCases:
    """What one index holds, true at every moment if writes `forget` before they begin and `keep` once they are done.

    Reading needs no lock. Writes take turns, as those of the index do.
    """

    def __init__(self) -> None:
        self._cases: dict[int, StoredCase] = {}
        """By the number of the UUID, for the UUID itself works its hash out anew each time."""

    def all_of(self, points: Sequence[UUID]) -> list[StoredCase] | None:
        """The case of each point; none where one of them is not held."""
        held = self._cases
        try:
            return [held[point.int] for point in points]
        except KeyError:
            return None

    def keep(self, cases: Mapping[UUID, StoredCase]) -> None:
        """Hold these too, if there is room."""
        if len(self._cases) + len(cases) <= MOST:
            self._cases.update((point.int, case) for point, case in cases.items())

    def forget(self, points: Iterable[UUID]) -> None:
        """Let go of these."""
        for point in points:
            self._cases.pop(point.int, None)
