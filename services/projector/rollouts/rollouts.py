"""Rollouts: one dimension varied, or two together, over the range met in the collection.

R rows (dimensions varied), S steps, D dimensions.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import LARGEST_DECODED
from casekin.contracts.rollouts import FromSubject, JointResult, JointRollout, Rollout, RolloutResult, RolloutRow
from casekin.errors import BadInput, WrongLatent
from services.projector.jobs.progress import Report
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.rollouts.steps import StepContext

Floats = npt.NDArray[np.float64]
_ENDS = (0.01, 0.99)
"""Quantiles of the ends: beyond them there are too few cases."""


def check_subject(payload: FromSubject, manifest: BundleManifest) -> None:
    """Raise `WrongLatent` where the latent is of another bundle or length, or cannot be decoded."""
    D = len(manifest.dimensions)
    if payload.bundle_version != manifest.version:
        raise WrongLatent(
            f"the latent is of bundle {payload.bundle_version}, the encoder runs {manifest.version}; "
            "encode the image again"
        )
    if payload.latent is not None and len(payload.latent) != D:
        raise WrongLatent(f"the latent has {len(payload.latent)} numbers, bundle {manifest.version} has {D} dimensions")
    if far := [value for value in payload.latent or () if abs(value) > LARGEST_DECODED]:
        raise WrongLatent(
            f"the latent has {far[0]:g}, beyond ±{LARGEST_DECODED:g} standard deviations: no image has such a latent, "
            "and the decoder refuses it"
        )


def check_dimensions(requested: Sequence[int] | None, manifest: BundleManifest) -> list[int]:
    """The requested dimensions, each once; raises `BadInput`."""
    D = len(manifest.dimensions)
    wanted = list(dict.fromkeys(requested if requested is not None else range(D)))
    if not wanted:
        raise BadInput("dimensions is empty; name some, or leave it out for all")
    if unknown := [index for index in wanted if not 0 <= index < D]:
        raise BadInput(f"there is no dimension {unknown[0]}; bundle {manifest.version} has 0 to {D - 1}")
    return wanted


def check_joint(payload: JointRollout, manifest: BundleManifest) -> None:
    """Raise `BadInput` unless it names two dimensions that differ."""
    if len(check_dimensions(payload.dimensions, manifest)) != 2:
        raise BadInput(f"both dimensions are {payload.dimensions[0]}; a joint rollout needs two different ones")


def quantiles_of(steps: int) -> Floats:
    """The quantiles of S steps, from 1 % to 99 %, evenly between: 1 %, 10 %, 20 % ... 99 % for eleven [S]."""
    return np.linspace(0, 1, steps).clip(*_ENDS).round(4)


def values_at(
    quantiles: Floats, dimension: int, collection: CollectionLatents | None, manifest: BundleManifest
) -> Floats:
    """Standardised values [S] at `quantiles` of the collection, or of the training set where it was not read."""
    if collection is not None:
        return collection.values_at(quantiles.tolist())[:, dimension]
    points = sorted((float(name), value) for name, value in manifest.dimensions[dimension].quantiles.items())
    places, values = np.transpose(points)
    return np.asarray(np.interp(quantiles, places, values), np.float64).round(4)


def roll_out(payload: Rollout, context: StepContext, latent: Floats, report: Report) -> RolloutResult:
    """A row of steps for each requested dimension."""
    wanted = check_dimensions(payload.dimensions, context.manifest)
    quantiles = quantiles_of(payload.steps)
    values = np.stack([values_at(quantiles, index, context.collection, context.manifest) for index in wanted])  # [R,S]
    latents = np.tile(latent, (*values.shape, 1))  # [R,S,D]
    for row, index in enumerate(wanted):
        latents[row, :, index] = values[row]
    frame, steps = context.steps(np.vstack([latent[None], latents.reshape(-1, len(latent))]), report)
    rows = [
        RolloutRow(
            dimension=index,
            origin=float(latent[index]),
            origin_quantile=_quantile(context.collection, index, latent),
            values=values[row].tolist(),
            quantiles=quantiles.tolist(),
            steps=steps[row * payload.steps : (row + 1) * payload.steps],
        )
        for row, index in enumerate(wanted)
    ]
    return RolloutResult(**frame, rows=rows)


def roll_out_jointly(payload: JointRollout, context: StepContext, latent: Floats, report: Report) -> JointResult:
    """A grid of steps; the first dimension varies along a row."""
    quantiles, S = quantiles_of(payload.steps), payload.steps
    across, down = (values_at(quantiles, index, context.collection, context.manifest) for index in payload.dimensions)
    latents = np.tile(latent, (S, S, 1))  # [S,S,D]
    latents[:, :, payload.dimensions[0]] = across[None, :]
    latents[:, :, payload.dimensions[1]] = down[:, None]
    frame, steps = context.steps(np.vstack([latent[None], latents.reshape(-1, len(latent))]), report)
    return JointResult(
        **frame,
        dimensions=payload.dimensions,
        columns=across.tolist(),
        rows=down.tolist(),
        quantiles=quantiles.tolist(),
        grid=[steps[row * S : (row + 1) * S] for row in range(S)],
    )


def _quantile(collection: CollectionLatents | None, dimension: int, latent: Floats) -> float | None:
    """Share of the collection's cases below the subject."""
    if collection is None:
        return None
    return round(float((collection.latents[:, dimension] < latent[dimension]).mean()), 4)
