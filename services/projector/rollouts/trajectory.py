"""The way from a query to a case. S steps, D dimensions."""

import numpy as np
import numpy.typing as npt

from casekin.contracts.rollouts import Trajectory, TrajectoryResult
from services.projector.jobs.progress import Report
from services.projector.rollouts.steps import Scenery

Floats = npt.NDArray[np.float64]


def go(payload: Trajectory, scenery: Scenery, latent: Floats, report: Report) -> TrajectoryResult:
    """Steps in a straight line, the first at the subject, the last at the case; raises `NotFound`."""
    there = scenery.latent_of(payload.to)
    share = np.linspace(0, 1, payload.steps)[:, None]
    latents = (1 - share) * latent + share * there  # [S,D]
    about, steps = scenery.steps(np.vstack([latent[None], latents]), report)
    weights = np.asarray(scenery.manifest.clinical_weights)
    distance = float(np.sqrt((weights * (there - latent) ** 2).sum()))
    return TrajectoryResult(**about, to=payload.to, distance=round(distance, 4), steps=steps)
