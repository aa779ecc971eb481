"""Place queries on a fitted map from their neighbours' coordinates: deterministic, in milliseconds, without umap.

Q queries, M cases that UMAP laid out, k neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casekin.contracts.maps import CaseMap, MapPlace, MapVersion, Placement, PlacingError
from casekin.errors import Conflict
from services.projector.latents.collection_latents import CollectionLatents, stable_sample
from services.projector.latents.exact_knn import Indices
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.projection.out_of_sample import attracted
from services.projector.projection.procrustes import width

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlacementMap:
    """A map with the latents of its cases; of those that UMAP laid out and that the collection still holds."""

    version: MapVersion
    knn: WeightedKnn
    xy: Floats
    """[M,2]"""
    width: float
    """Of the whole map."""

    def places(self, rows: Indices, distances: Floats) -> Floats:
        """Places [Q,2] of queries with the neighbours `rows` [Q,k] of the knn, nearest first."""
        return attracted(self.xy[rows], distances, self.version.recipe.min_dist)

    def spread(self, rows: Indices, places: Floats) -> Floats:
        """Mean distance of the neighbours from the place [Q], share of the map's width."""
        apart: Floats = np.linalg.norm(self.xy[rows] - places[:, None], axis=2).mean(1)
        return apart / (self.width or 1.0)


def build_placement_map(fitted: CaseMap, collection: CollectionLatents) -> PlacementMap:
    """The map with the latents that `collection` has; raises `Conflict` where none of its cases is there any more."""
    laid = [fitted.cases[row] for row in stable_sample(fitted.cases, fitted.version.fitted)]
    row_of = {case: row for row, case in enumerate(fitted.cases)}
    in_collection = {case: row for row, case in enumerate(collection.cases)}
    both = [case for case in laid if case in in_collection]
    if not both:
        raise Conflict("none of the cases on the map is in the collection any more; fit the map again")
    everything = np.column_stack([fitted.x, fitted.y])
    return PlacementMap(
        version=fitted.version,
        knn=WeightedKnn(collection.part(np.array([in_collection[case] for case in both])), fitted.version.weights),
        xy=everything[[row_of[case] for case in both]],
        width=width(everything),
    )


def place_on(placement_map: PlacementMap, payload: MapPlace) -> Placement:
    """Where the query belongs on this map, and how honest that is; raises `WrongLatent`."""
    rows, distances = placement_map.knn.nearest([payload.latent], payload.neighbours)
    places = placement_map.places(rows, distances)
    spread = round(float(placement_map.spread(rows, places)[0]), 5)
    return Placement(
        map_id=placement_map.version.id,
        x=round(float(places[0, 0]), 4),
        y=round(float(places[0, 1]), 4),
        spread=spread,
        error=expected_error(placement_map.version.quality.placing, spread),
        neighbours=[placement_map.knn.collection.cases[row] for row in rows[0]],
    )


def expected_error(groups: Sequence[PlacingError], spread: float) -> PlacingError | None:
    """What is known of cases with such a spread: the first group that reaches it, else the widest."""
    return next((group for group in groups if group.spread >= spread), groups[-1] if groups else None)
