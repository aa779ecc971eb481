"""The cases near points of the latent space: their diagnoses, the nearest of them, and the points' places on the map.

N points, M cases that are searched, D dimensions, k neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import Code
from casekin.contracts.rollouts import NearestCase, SteppedRollout
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.exact_knn import Indices
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.projection.placement import PlacementMap

NEIGHBOURS = 15
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Surroundings(TypedDict):
    """The fields of the contract `Step` beside the image."""

    shares: dict[Code, float] | None
    nearest: NearestCase | None
    x: float | None
    y: float | None


UNKNOWN = Surroundings(shares=None, nearest=None, x=None, y=None)
"""Around every point where the collection could not be read."""


@dataclass(frozen=True)
class NearCases:
    """The cases that are searched, and the map that points are placed on."""

    knn: WeightedKnn
    own: Mask
    """Which of its cases are the subject or of its lesion, and near to nothing [M]."""
    placement_map: PlacementMap | None
    """Its own k-NN places: it may have other weights, and lacks cases that came after it was fitted."""

    def around(self, points: Floats) -> list[Surroundings]:
        """What is around each point of [N,D]."""
        rows, distances = self.knn.nearest(points, NEIGHBOURS + int(self.own.sum()))  # [N,k]
        others = [near[~self.own[near]][:NEIGHBOURS] for near in rows]
        return [
            Surroundings(shares=shares, nearest=nearest, x=x, y=y)
            for shares, nearest, (x, y) in zip(
                self.knn.shares(others),
                self._nearest(rows, distances),
                self._places(points, rows, distances),
                strict=True,
            )
        ]

    def _nearest(self, rows: Indices, distances: Floats) -> list[NearestCase | None]:
        """The first of each row [k] that is not the subject's own."""
        is_other = ~self.own[rows]
        if not is_other.size:
            return [None] * len(rows)
        collection, first = self.knn.collection, is_other.argmax(1)
        return [
            NearestCase(
                id=collection.cases[near[place]],
                diagnosis=collection.diagnoses[near[place]],
                distance=round(float(far[place]), 4),
            )
            if others[place]
            else None
            for near, far, place, others in zip(rows, distances, first, is_other, strict=True)
        ]

    def _places(self, points: Floats, rows: Indices, distances: Floats) -> Iterable[tuple[float | None, float | None]]:
        """Where the points are on the map; the neighbours `rows` are not searched for again if they are the map's."""
        if self.placement_map is None:
            return [(None, None)] * len(points)
        if self.placement_map.knn is not self.knn:
            rows, distances = self.placement_map.knn.nearest(points, NEIGHBOURS)
        places = self.placement_map.places(rows[:, :NEIGHBOURS], distances[:, :NEIGHBOURS]).round(4)
        return [(float(x), float(y)) for x, y in places]


def own_cases(
    payload: SteppedRollout,
    latent: Floats,
    collection: CollectionLatents,
    searched: CollectionLatents,
    same_within: float,
) -> Mask:
    """Which of the cases `searched` are the subject, copies of its picture, or of a lesion of these [M].

    `latent` [D] is the subject's; a picture is the same up to an unweighted distance of `same_within`. Search leaves
    out the same cases.
    """
    apart = searched.latents - latent.astype(np.float32)  # [M,D]
    is_copy: Mask = np.einsum("md,md->m", apart, apart) <= same_within**2
    lesions = {searched.lesions[row] for row in np.flatnonzero(is_copy)} | {payload.own_lesion}
    if payload.case is not None:
        lesions.add(collection.lesions[collection.row_of(payload.case)])
        is_copy |= np.array([case == payload.case for case in searched.cases], np.bool_)
    lesions.discard(None)
    return is_copy | np.array([lesion in lesions for lesion in searched.lesions], np.bool_) if lesions else is_copy
