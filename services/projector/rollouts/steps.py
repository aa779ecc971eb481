"""From latents to steps: the decoded image, the diagnoses of the nearest cases, and the place on the map.

N latents, D dimensions, k neighbours.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from casekin.clients import EncoderClient
from casekin.contracts.base import CaseId, Code
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.maps import MapId
from casekin.contracts.rollouts import FromSubject, Step
from casekin.errors import Conflict
from services.projector.jobs.progress import Report
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.projection.map_cache import MapCache
from services.projector.projection.placement import PlacementMap
from services.projector.rollouts.decoding import start_decoding

NEIGHBOURS = 15
Floats = npt.NDArray[np.float64]


class RolloutFrame(TypedDict):
    """The fields of the contract `Scene`, which all results of rollouts share."""

    bundle_version: str
    revision: str | None
    map_id: MapId | None
    neighbours: int
    width: int
    height: int
    here: Step


@dataclass(frozen=True)
class RolloutContext:
    """Model, collection and map that the steps of one job are computed with."""

    manifest: BundleManifest
    encoder: EncoderClient
    collection: CollectionLatents | None
    knn: WeightedKnn | None
    placement_map: PlacementMap | None
    case: CaseId | None
    """The subject, where it is a case: it and its lesion do not count as neighbours."""

    def steps(self, latents: Floats, report: Report) -> tuple[RolloutFrame, list[Step]]:
        """The frame around the first latent, which is the subject, and a step for each other latent of [N,D]."""
        with start_decoding(self.encoder, self.manifest.version, latents) as pending:
            shares, places = self._neighbours(latents)
            decoded = pending.finish(report)
        subject, *steps = (
            Step(image=image, shares=share, x=x, y=y)
            for image, share, (x, y) in zip(decoded.images, shares, places, strict=True)
        )
        frame = RolloutFrame(
            bundle_version=self.manifest.version,
            revision=self.collection.revision if self.collection else None,
            map_id=self.placement_map.version.id if self.placement_map else None,
            neighbours=NEIGHBOURS,
            width=decoded.width,
            height=decoded.height,
            here=subject,
        )
        return frame, steps

    def _neighbours(
        self, latents: Floats
    ) -> tuple[list[dict[Code, float] | None], list[tuple[float | None, float | None]]]:
        if self.knn is None:
            return [None] * len(latents), [(None, None)] * len(latents)
        rows, distances = self.knn.nearest(latents, NEIGHBOURS + self._same_lesion.sum())
        others = [one[~self._same_lesion[one]][:NEIGHBOURS] for one in rows]
        shares: list[dict[Code, float] | None] = [*self.knn.shares(others)]
        if self.placement_map is None:
            return shares, [(None, None)] * len(latents)
        places = self.placement_map.places(rows[:, :NEIGHBOURS], distances[:, :NEIGHBOURS]).round(4)
        return shares, [(float(x), float(y)) for x, y in places]

    @cached_property
    def _same_lesion(self) -> npt.NDArray[np.bool_]:
        """Which of the M cases of the k-NN are the subject or of its lesion [M]."""
        assert self.knn is not None
        if self.case is None or self.case not in self.knn.collection.cases:
            return np.zeros(len(self.knn.collection.cases), np.bool_)
        return self.knn.same_lesion(self.case)

    def latent_of(self, case: CaseId) -> Floats:
        """[D] of a case; raises `NotFound` where it is not in the collection (any more)."""
        if self.collection is None:
            raise Conflict("the collection has not been read yet, so its cases' latents are not known: fit the map")
        latent: Floats = self.collection.latents[self.collection.row_of(case)].astype(np.float64)
        return latent


def rollout_context(payload: FromSubject, encoder: EncoderClient, map_cache: MapCache) -> tuple[RolloutContext, Floats]:
    """The context of a payload, and the latent of its subject [D]."""
    manifest = map_cache.manifests.of(payload.bundle_version)
    collection = map_cache.collection(payload.bundle_version)
    placement_map = map_cache.placement_map(payload.map_id) if payload.map_id and collection else None
    knn = placement_map.knn if placement_map else map_cache.knn(collection) if collection else None
    context = RolloutContext(manifest, encoder, collection, knn, placement_map, payload.case)
    if payload.latent is not None:
        return context, np.asarray(payload.latent)
    assert payload.case is not None, "the contract requires one of both"
    return context, context.latent_of(payload.case)
