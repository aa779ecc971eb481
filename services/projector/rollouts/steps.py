"""From latents to steps: what the decoder draws there, which cases lie there, and where that is on the map.

N latents, D dimensions, k neighbours.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from casekin.clients import EncoderClient
from casekin.contracts.base import CaseId, Code
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.rollouts import FromSubject, Step
from casekin.errors import Conflict
from services.projector.jobs.progress import Report
from services.projector.latents.collection_latents import Gallery
from services.projector.latents.weighted_knn import Ground
from services.projector.projection.map_cache import Shelf
from services.projector.projection.placement import Atlas
from services.projector.rollouts.decoding import drawing

NEIGHBOURS = 15
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scenery:
    """All that the ways of one job pass through."""

    manifest: BundleManifest
    encoder: EncoderClient
    gallery: Gallery | None
    ground: Ground | None
    atlas: Atlas | None
    case: CaseId | None
    """The subject, where it is a case: it and its lesion are no neighbours of it."""

    def steps(self, latents: Floats, report: Report) -> tuple[dict[str, Any], list[Step]]:
        """What a scene tells of itself, and a step for each latent [N,D] after the first, which is the subject."""
        with drawing(self.encoder, self.manifest.version, latents) as begun:
            shares, places = self._around(latents)
            drawn = begun.finish(report)
        steps = [
            Step(image=image, shares=share, x=x, y=y)
            for image, share, (x, y) in zip(drawn.images, shares, places, strict=True)
        ]
        return self._about(drawn.width, drawn.height, steps[0]), steps[1:]

    def _about(self, width: int, height: int, here: Step) -> dict[str, Any]:
        return {
            "bundle_version": self.manifest.version,
            "revision": self.gallery.revision if self.gallery else None,
            "map_id": self.atlas.version.id if self.atlas else None,
            "neighbours": NEIGHBOURS,
            "width": width,
            "height": height,
            "here": here,
        }

    def _around(
        self, latents: Floats
    ) -> tuple[list[dict[Code, float] | None], list[tuple[float | None, float | None]]]:
        if self.ground is None:
            return [None] * len(latents), [(None, None)] * len(latents)
        rows, distances = self.ground.around(latents, NEIGHBOURS + self._own.sum())
        others = [one[~self._own[one]][:NEIGHBOURS] for one in rows]
        shares: list[dict[Code, float] | None] = [*self.ground.shares(others)]
        if self.atlas is None:
            return shares, [(None, None)] * len(latents)
        places = self.atlas.places(rows[:, :NEIGHBOURS], distances[:, :NEIGHBOURS]).round(4)
        return shares, [(float(x), float(y)) for x, y in places]

    @cached_property
    def _own(self) -> npt.NDArray[np.bool_]:
        """Which cases of the ground are the subject or of its lesion [M]."""
        assert self.ground is not None
        if self.case is None or self.case not in self.ground.gallery.cases:
            return np.zeros(len(self.ground.gallery.cases), np.bool_)
        return self.ground.same_lesion(self.case)

    def latent_of(self, case: CaseId) -> Floats:
        """[D] of a case; raises `NotFound` where it is not in the collection (any more)."""
        if self.gallery is None:
            raise Conflict("the collection has not been read yet, so its cases' latents are not known: fit the map")
        latent: Floats = self.gallery.latents[self.gallery.row_of(case)].astype(np.float64)
        return latent


def scenery_of(payload: FromSubject, encoder: EncoderClient, shelf: Shelf) -> tuple[Scenery, Floats]:
    """What the payload's way passes through, and the latent that it starts at [D]."""
    manifest = shelf.models.of(payload.bundle_version)
    gallery = shelf.gallery(payload.bundle_version)
    atlas = shelf.atlas(payload.map_id) if payload.map_id and gallery else None
    ground = atlas.ground if atlas else shelf.ground(gallery) if gallery else None
    scenery = Scenery(manifest, encoder, gallery, ground, atlas, payload.case)
    if payload.latent is not None:
        return scenery, np.asarray(payload.latent)
    assert payload.case is not None, "the contract asks for one of both"
    return scenery, scenery.latent_of(payload.case)
