"""Which cases stand behind another: of the same lesion, or the same picture once more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.search.vector_store.port import StoredCase

Reason = Literal["lesion", "duplicate"]


@dataclass(slots=True)
class Group:
    """Rows of the cases found: one that is shown, and those behind it."""

    row: int
    hidden: Sequence[tuple[int, Reason]] = ()


def each_alone(order: Sequence[int]) -> list[Group]:
    """Every row a group."""
    return [Group(row) for row in order]


def collapsed(
    order: Sequence[int], found: Sequence[StoredCase], x: NDArray[np.float64], duplicate_within: float
) -> list[Group]:
    """Groups in `order`: a case goes behind the first of its lesion, or else behind the first that it duplicates.

    Duplicates have the same stored picture, or latents x [L, D] within `duplicate_within` of each other.
    """
    groups: list[Group] = []
    by_lesion: dict[str, Group] = {}
    by_picture: dict[str, Group] = {}
    alike = _alike(x, duplicate_within)
    for row in order:
        one = found[row]
        lesion, picture = one.case.lesion_id, one.image
        if lesion is not None and (group := by_lesion.get(lesion)):
            group.hidden = (*group.hidden, (row, "lesion"))
            continue
        group = by_picture.get(picture) or next(_first(groups, alike.get(row)), None)
        if group:
            group.hidden = (*group.hidden, (row, "duplicate"))
            continue
        group = Group(row)
        groups.append(group)
        by_picture[picture] = group
        if lesion is not None:
            by_lesion[lesion] = group
    return groups


def _alike(x: NDArray[np.float64], within: float) -> dict[int, set[int]]:
    """By row, the other rows within the distance; |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, so one product finds all."""
    gram = x @ x.T
    norms = gram.diagonal()
    near = norms[:, None] + norms - 2 * gram <= within * within + 1e-12 * (norms[:, None] + norms)
    if int(near.sum()) <= len(x):  # each is near itself alone
        return {}
    return {row: {int(i) for i in np.flatnonzero(near[row]) if i != row} for row in range(len(x))}


def _first(groups: Sequence[Group], rows: set[int] | None) -> Iterator[Group]:
    return (group for group in groups if group.row in rows) if rows else iter(())
