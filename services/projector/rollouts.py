"""Decode images while one dimension varies and the others stay.

R rows (dimensions asked for), S steps, D dimensions.
"""

import numpy as np
import numpy.typing as npt

from casekin.clients import EncoderClient
from casekin.contracts.bundle import BundleManifest, Dimension
from casekin.contracts.encoder import DecodeRequest
from casekin.contracts.projector import Rollout, RolloutResult, RolloutRow
from casekin.errors import BadInput, WrongLatent
from services.projector.progress import Report, Stage

_BATCH = 64
"""Latents a call: small enough that progress moves and other callers get their turn."""


def check_rollout(payload: Rollout, manifest: BundleManifest) -> list[int]:
    """The dimensions asked for, each once; raises `WrongLatent` or `BadInput`."""
    D = len(manifest.dimensions)
    if payload.bundle_version != manifest.version:
        raise WrongLatent(
            f"the latent is of bundle {payload.bundle_version}, the encoder runs {manifest.version}; "
            "encode the image again"
        )
    if len(payload.latent) != D:
        raise WrongLatent(f"the latent has {len(payload.latent)} numbers, bundle {manifest.version} has {D} dimensions")
    wanted = list(dict.fromkeys(payload.dimensions if payload.dimensions is not None else range(D)))
    if not wanted:
        raise BadInput("dimensions is empty; name some, or leave it out for all")
    if strange := [index for index in wanted if not 0 <= index < D]:
        raise BadInput(f"there is no dimension {strange[0]}; bundle {manifest.version} has 0 to {D - 1}")
    return wanted


def steps_of(dimension: Dimension, steps: int) -> npt.NDArray[np.float64]:
    """`steps` values from the 1 % to the 99 % quantile met in the collection [S], standardised."""
    return np.linspace(dimension.quantiles["0.01"], dimension.quantiles["0.99"], steps).round(4)


def roll_out(payload: Rollout, encoder: EncoderClient, report: Report) -> RolloutResult:
    """A row of images for each dimension asked for; raises `WrongLatent` or `BadInput`."""
    manifest = encoder.model().manifest
    wanted = check_rollout(payload, manifest)
    values = np.stack([steps_of(manifest.dimensions[index], payload.steps) for index in wanted])  # [R,S]
    latents = np.tile(np.asarray(payload.latent), (*values.shape, 1))  # [R,S,D]
    for row, index in enumerate(wanted):
        latents[row, :, index] = values[row]
    width, height, images = _decode(encoder, manifest.version, latents.reshape(-1, latents.shape[-1]), report)
    rows = [
        RolloutRow(
            dimension=index,
            name=manifest.dimensions[index].name,
            values=values[row].tolist(),
            images=images[row * payload.steps : (row + 1) * payload.steps],
            origin=payload.latent[index],
        )
        for row, index in enumerate(wanted)
    ]
    return RolloutResult(bundle_version=manifest.version, width=width, height=height, rows=rows)


def _decode(
    encoder: EncoderClient, version: str, latents: npt.NDArray[np.float64], report: Report
) -> tuple[int, int, list[str]]:
    """All images in order, with their size."""
    stage = Stage(report, 0.0, 1.0, lambda done, total: f"{done} of {total} images decoded", last=True)
    images: list[str] = []
    for first in range(0, len(latents), _BATCH):
        batch = latents[first : first + _BATCH].tolist()
        answer = encoder.decode(DecodeRequest(bundle_version=version, latents=batch))
        images.extend(answer.images)
        stage(len(images), len(latents))
    return answer.width, answer.height, images
