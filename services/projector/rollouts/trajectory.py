"""The trajectory from a query to a case. S steps, D dimensions."""

import numpy as np
import numpy.typing as npt

from casekin.contracts.rollouts import Trajectory, TrajectoryResult
from services.projector.jobs.progress import Report
from services.projector.rollouts.steps import StepContext

Floats = npt.NDArray[np.float64]


def follow_line(payload: Trajectory, context: StepContext, latent: Floats, report: Report) -> TrajectoryResult:
    """Steps on a straight line, the first at the subject, the last at the case; raises `NotFound`."""
    end = context.latent_of(payload.to)
    share = np.linspace(0, 1, payload.steps)[:, None]
    latents = (1 - share) * latent + share * end  # [S,D]
    frame, steps = context.steps(np.vstack([latent[None], latents]), report)
    distance = float(np.sqrt((np.asarray(context.weights) * (end - latent) ** 2).sum()))
    return TrajectoryResult(**frame, to=payload.to, distance=round(distance, 4), steps=steps)
