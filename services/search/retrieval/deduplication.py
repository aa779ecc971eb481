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
_BLOCK = 256
"""Cases compared with each other at once: memory stays small however many cases there are."""


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
        alike = _alike(x[block], x[[group.row for group in groups]], duplicate_within)
        number = {group.row: i for i, group in enumerate(groups)} if alike is not None else {}
        for i, row in enumerate(block):
            if len(groups) == count and squared[row] > squared[groups[-1].row]:
                return groups
            lesion, picture = cases[row].case.lesion_id, cases[row].image
            if lesion is not None and (group := by_lesion.get(lesion)):
                group.hide(row, "lesion")
                continue
            found = by_picture.get(picture)
            if found is None and alike is not None:
                found = next((group for group in groups if alike[i, number[group.row]]), None)
            if found:
                found.hide(row, "duplicate")
                continue
            if len(groups) == count:
                continue
            group = Group(row)
            if alike is not None:
                number[row] = alike.shape[1] - len(block) + i
            groups.append(group)
            by_picture[picture] = group
            if lesion is not None:
                by_lesion[lesion] = group
    return groups


def _alike(block: NDArray[np.float64], matches: NDArray[np.float64], within: float) -> NDArray[np.bool_] | None:
    """[B, G + B], whether rows of `block` [B, D] are within a distance of `matches` [G, D] and of each other.

    None if no two are. |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, so one product compares all.
    """
    others = np.concatenate([matches, block]) if len(matches) else block
    norms, other_norms = np.einsum("ij,ij->i", block, block), np.einsum("ij,ij->i", others, others)
    sums = norms[:, None] + other_norms
    alike: NDArray[np.bool_] = sums - 2 * (block @ others.T) <= within * within + 1e-12 * sums
    return alike if np.count_nonzero(alike) > len(block) else None  # each is within any distance of itself
