"""Fit a map anew from where its cases lay before, so that clinicians keep their bearings.

N cases, D dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import CaseId
from casekin.contracts.maps import CaseMap
from services.projector.latents.exact_knn import ExactKnn, Floats
from services.projector.projection.out_of_sample import attracted
from services.projector.projection.procrustes import rigid, width

_AMONG = 15
_ENOUGH = 5
"""Cases that both maps need, to tell how one lies to the other."""


@dataclass(frozen=True)
class Start:
    """Where the cases are before the first epoch."""

    xy: Floats
    """[N,2]"""
    known: npt.NDArray[np.bool_]
    """[N]: on the map before; the others stand among their neighbours."""

    def turned(self, laid: Floats) -> tuple[Floats, float]:
        """The layout turned and shifted onto the map before, and the known cases' median move then.

        The move is a share of the map's width.
        """
        turn, shift = rigid(laid[self.known].astype(np.float64), self.xy[self.known].astype(np.float64))
        turned = (laid @ turn + shift).astype(np.float32)
        moves = np.linalg.norm(turned[self.known] - self.xy[self.known], axis=1)
        return turned, round(float(np.median(moves)) / (width(turned) or 1.0), 5)


def start_from(before: CaseMap, points: Floats, cases: Sequence[CaseId], min_dist: float) -> Start | None:
    """Where `cases` [N] with scaled latents `points` [N,D] lay on the map `before`; none where too few were on it."""
    row_of = {case: row for row, case in enumerate(before.cases)}
    known = np.array([case in row_of for case in cases])
    if known.sum() < _ENOUGH:
        return None
    then = np.column_stack([before.x, before.y])
    xy = np.empty((len(points), 2))
    xy[known] = then[[row_of[case] for case in cases if case in row_of]]
    if not known.all():
        near, distances = ExactKnn(points[known]).of(points[~known], min(_AMONG, int(known.sum())))
        xy[~known] = attracted(xy[known][near], distances.astype(np.float64), min_dist)
    return Start(xy.astype(np.float32), known)
