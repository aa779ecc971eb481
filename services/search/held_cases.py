"""Cases of a small index in memory: the engine takes longer to hand cases out than to find them.

Only where every write passes through this process, which then knows what has changed. `services.search.reading` serves
the other indexes: it remembers what was asked for, until anything at all has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from services.search.index import StoredCase

MOST = 16_384
"""Cases in memory: some 50 MB with 32 dimensions."""


class HeldCases:
    """What one index holds, true at every moment if writes `forget` before they begin and `keep` once they are done.

    Reading needs no lock. Writes take turns, as those of the index do.
    """

    def __init__(self) -> None:
        self._cases: dict[UUID, StoredCase] = {}

    def split(self, points: Sequence[UUID]) -> tuple[dict[UUID, StoredCase], list[UUID]]:
        """Those of `points` that are held, and those that the engine must be asked for."""
        held = {point: case for point in points if (case := self._cases.get(point)) is not None}
        return held, [point for point in points if point not in held]

    def keep(self, cases: Mapping[UUID, StoredCase]) -> None:
        """Hold these too, if there is room."""
        if len(self._cases) + len(cases) <= MOST:
            self._cases.update(cases)

    def forget(self, points: Iterable[UUID]) -> None:
        """Let go of these."""
        for point in points:
            self._cases.pop(point, None)
