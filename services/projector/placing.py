"""Place a query on the fitted map from its neighbours' coordinates: deterministic, in milliseconds, without umap."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.projector import CaseMap, MapPlace, Placement
from casekin.contracts.search import SearchRequest
from casekin.errors import Conflict
from services.projector.artefacts import Artefacts

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Atlas:
    """The fitted map, ready for placing."""

    fitted: CaseMap

    @cached_property
    def rows(self) -> Mapping[CaseId, int]:
        """Row of each case in `xy`."""
        return {case: row for row, case in enumerate(self.fitted.cases)}

    @cached_property
    def xy(self) -> Floats:
        """[N,2]."""
        return np.column_stack([self.fitted.x, self.fitted.y])

    @cached_property
    def diagonal(self) -> float:
        """Length of the diagonal of the box around all cases."""
        return float(np.linalg.norm(np.ptp(self.xy, axis=0)))


class AtlasShelf:
    """Keeps the current map in memory and reads it anew when another one becomes current."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._artefacts = artefacts
        self._atlas: Atlas | None = None

    def current(self) -> Atlas:
        """The current map; raises `Conflict` where there is none."""
        current = self._artefacts.current()
        if current is None:
            raise Conflict("there is no map to place on; fit the map first")
        if self._atlas is None or self._atlas.fitted.id != current.id:
            self._atlas = Atlas(CaseMap.model_validate(json.loads(self._artefacts.current_map())))
        return self._atlas


def place_query(payload: MapPlace, search: SearchClient, shelf: AtlasShelf) -> Placement:
    """Where the query belongs; raises `Conflict` where the map is of another bundle or lacks all its neighbours."""
    atlas = shelf.current()
    if atlas.fitted.bundle_version != payload.bundle_version:
        raise Conflict(
            f"the map is of bundle {atlas.fitted.bundle_version}, the query of {payload.bundle_version}; "
            "fit the map first"
        )
    request = SearchRequest(
        bundle_version=payload.bundle_version,
        latents=(payload.latent,),
        preset=atlas.fitted.preset,
        k=payload.neighbours,
        one_per_lesion=False,
    )
    matches = search.search(request).matches
    found = [match for match in matches if match.case.id in atlas.rows]
    if not found:
        raise Conflict(f"none of the {len(matches)} nearest cases is on the map; fit the map again")
    return place(atlas, [match.case.id for match in found], [match.distance for match in found])


def place(atlas: Atlas, neighbours: Sequence[CaseId], distances: Sequence[float]) -> Placement:
    """The mean of the neighbours' coordinates, weighted by 1 / distance; at distance 0 a neighbour's own place.

    `neighbours` are on the map, at least one; `distances` are those under the map's preset.
    """
    near = np.asarray(distances, np.float64)
    xy = atlas.xy[[atlas.rows[case] for case in neighbours]]  # [k,2]
    weights = (near == 0).astype(np.float64) if (near == 0).any() else near.min() / near
    where = weights @ xy / weights.sum()
    apart = float(np.linalg.norm(xy - where, axis=1).mean())
    return Placement(
        map_id=atlas.fitted.id,
        x=round(float(where[0]), 4),
        y=round(float(where[1]), 4),
        spread=round(apart / atlas.diagonal, 5) if atlas.diagonal else 0.0,
        neighbours=list(neighbours),
    )
