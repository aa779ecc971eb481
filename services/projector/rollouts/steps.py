"""From latents to steps: the decoded image, the cases near it, and the place on the map.

N latents, D dimensions.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from casekin.clients import EncoderClient
from casekin.contracts.base import CaseId, WeightsChoice
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.maps import MapId
from casekin.contracts.rollouts import FromSubject, Step, SteppedRollout
from casekin.errors import Conflict
from casekin.weights import weights_for
from services.projector.jobs.progress import Report
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.projection.map_cache import MapCache
from services.projector.rollouts.decoding import start_decoding
from services.projector.rollouts.near_cases import NEIGHBOURS, UNKNOWN, NearCases, own_cases

Floats = npt.NDArray[np.float64]


class RolloutFrame(TypedDict):
    """The fields of the contract `Scene`, which all results with steps share."""

    bundle_version: str
    revision: str | None
    map_id: MapId | None
    neighbours: int
    cases: int
    preset: WeightsChoice
    width: int
    height: int
    here: Step


@dataclass(frozen=True)
class RolloutContext:
    """Model and collection that one job is computed with."""

    manifest: BundleManifest
    encoder: EncoderClient
    collection: CollectionLatents | None

    def latent_of(self, case: CaseId) -> Floats:
        """[D] of a case; raises `NotFound` where it is not in the collection (any more)."""
        if self.collection is None:
            raise Conflict("the collection has not been read yet, so its cases' latents are not known: fit the map")
        latent: Floats = self.collection.latents[self.collection.row_of(case)].astype(np.float64)
        return latent

    def subject(self, payload: FromSubject) -> Floats:
        """The latent [D] that the rollout starts from; raises as `latent_of` does."""
        if payload.latent is not None:
            return np.asarray(payload.latent, np.float64)
        assert payload.case is not None, "the contract requires one of both"
        return self.latent_of(payload.case)


@dataclass(frozen=True)
class StepContext(RolloutContext):
    """Also what the cases near a step are found with."""

    preset: WeightsChoice
    weights: list[float]
    """[D]"""
    near_cases: NearCases | None

    def steps(self, latents: Floats, report: Report) -> tuple[RolloutFrame, list[Step]]:
        """The frame around the first latent, which is the subject, and a step for each other latent of [N,D]."""
        with start_decoding(self.encoder, self.manifest.version, latents) as pending:
            around = self.near_cases.around(latents) if self.near_cases else [UNKNOWN] * len(latents)
            decoded = pending.finish(report)
        subject, *steps = (
            Step(image=image, **surroundings) for image, surroundings in zip(decoded.images, around, strict=True)
        )
        near, collection = self.near_cases, self.collection
        frame = RolloutFrame(
            bundle_version=self.manifest.version,
            revision=collection.revision if collection else None,
            map_id=near.placement_map.version.id if near and near.placement_map else None,
            neighbours=NEIGHBOURS,
            cases=len(near.knn.collection.cases) if near else 0,
            preset=self.preset,
            width=decoded.width,
            height=decoded.height,
            here=subject,
        )
        return frame, steps


def rollout_context(payload: FromSubject, encoder: EncoderClient, map_cache: MapCache) -> RolloutContext:
    """The context of a payload without steps."""
    manifest = map_cache.manifests.of(payload.bundle_version)
    return RolloutContext(manifest, encoder, map_cache.collection(payload.bundle_version))


def step_context(payload: SteppedRollout, encoder: EncoderClient, map_cache: MapCache) -> tuple[StepContext, Floats]:
    """The context of a payload with steps, and the latent of its subject [D]; raises `WrongWeights`, `NotFound`."""
    context = rollout_context(payload, encoder, map_cache)
    manifest, collection, latent = context.manifest, context.collection, context.subject(payload)
    weights = weights_for(manifest, payload.preset, payload.weights)
    near = _near_cases(payload, latent, weights, manifest, collection, map_cache) if collection else None
    return StepContext(manifest, encoder, collection, payload.preset, weights, near), latent


def _near_cases(
    payload: SteppedRollout,
    latent: Floats,
    weights: list[float],
    manifest: BundleManifest,
    collection: CollectionLatents,
    map_cache: MapCache,
) -> NearCases:
    placement_map = map_cache.placement_map(payload.map_id) if payload.map_id else None
    knn = map_cache.knn(collection, weights, placement_map)
    own = own_cases(payload, latent, collection, knn.collection, manifest.same_picture_within)
    return NearCases(knn, own, placement_map)
