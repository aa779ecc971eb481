"""Collapse cases of one lesion, and copies of one picture, into one match."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.search.vector_store.port import StoredCase

Reason = Literal["lesion", "duplicate"]
HIDDEN_SHOWN = 100
"""Collapsed cases that a match lists; the lesion or picture may have thousands."""
_BLOCK = 64
"""Cases compared with each other at once: little memory, and products too small for BLAS to start threads for."""


@dataclass(slots=True)
class Group:
    """Rows of the candidates that one match stands for."""

    row: int
    """The match itself: the nearest of the group."""
    hidden: list[tuple[int, Reason]] = field(default_factory=list)
    """The nearest of the others, with the reason why each is collapsed."""
    more_hidden: bool = False
    """Whether there are more."""

    def hide(self, row: int, reason: Reason) -> None:
        """Add a row, unless `HIDDEN_SHOWN` are listed already."""
        if len(self.hidden) < HIDDEN_SHOWN:
            self.hidden.append((row, reason))
        else:
            self.more_hidden = True


def each_alone(order: Sequence[int]) -> list[Group]:
    """One group per row."""
    return [Group(row) for row in order]


def collapse(
    order: Sequence[int],
    cases: Sequence[StoredCase],
    x: NDArray[np.float64],
    squared: NDArray[np.float64],
    duplicate_within: float,
    count: int,
) -> list[Group]:
    """The first `count` groups of rows in `order`, which is by squared distance `squared` [L].

    A case is collapsed into the first case of its lesion, or else into the first match that it duplicates: with the
    same stored picture, or with latents x [L, D] within `duplicate_within` of each other. Cases farther than the last
    match are not listed.
    """
    groups: list[Group] = []
    by_lesion: dict[str, Group] = {}
    by_picture: dict[str, Group] = {}
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        copied = _Copies(x[block], x[[group.row for group in groups]], duplicate_within)
        earlier = len(groups)
        columns: list[int] = []
        for i, row in enumerate(block):
            if len(groups) == count and squared[row] > squared[groups[-1].row]:
                return groups
            lesion, picture = cases[row].case.lesion_id, cases[row].image
            if lesion is not None and (group := by_lesion.get(lesion)):
                group.hide(row, "lesion")
            elif group := by_picture.get(picture):
                group.hide(row, "duplicate")
            elif (number := copied.first(i, columns)) is not None:
                groups[number].hide(row, "duplicate")
            elif len(groups) < count:
                groups.append(Group(row))
                columns.append(earlier + i)
                by_picture[picture] = groups[-1]
                if lesion is not None:
                    by_lesion[lesion] = groups[-1]
    return groups


class _Copies:
    """Which of a block's rows [B, D] are within a distance of earlier matches [G, D], and of each other.

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, so one product compares all.
    """

    def __init__(self, block: NDArray[np.float64], matches: NDArray[np.float64], within: float) -> None:
        others = np.concatenate([matches, block]) if len(matches) else block
        norms, other_norms = np.einsum("ij,ij->i", block, block), np.einsum("ij,ij->i", others, others)
        sums = norms[:, None] + other_norms
        self._alike = sums - 2 * (block @ others.T) <= within * within + 1e-12 * sums
        self._any = np.count_nonzero(self._alike) > len(block)  # each row is within any distance of itself
        self._earlier = [-1] * len(block)
        if self._any and len(matches):
            of_matches = self._alike[:, : len(matches)]
            self._earlier = np.where(of_matches.any(1), of_matches.argmax(1), -1).tolist()
        self._matches = len(matches)

    def first(self, i: int, columns: list[int]) -> int | None:
        """Number of the first match that row i copies; `columns` are those of the block's own matches."""
        if not self._any:
            return None
        if self._earlier[i] >= 0:
            return self._earlier[i]
        return next((self._matches + n for n, column in enumerate(columns) if self._alike[i, column]), None)
