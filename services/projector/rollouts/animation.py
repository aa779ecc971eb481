"""One dimension as an animated picture. F frames."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from casekin.contracts.rollouts import Animation
from services.projector.jobs.progress import Report
from services.projector.rollouts.decoding import start_decoding
from services.projector.rollouts.rollouts import values_at
from services.projector.rollouts.steps import RolloutContext

_QUALITY = 80
Floats = npt.NDArray[np.float64]


def animate(payload: Animation, context: RolloutContext, latent: Floats, report: Report) -> tuple[bytes, int, int, int]:
    """An animated WebP up the range of a dimension and back, for ever; its bytes, frames, width and height.

    Values are evenly spaced between the ends of the range, so that the picture moves at an even pace.
    """
    low, high = values_at(np.array([0.01, 0.99]), payload.dimension, context.collection, context.manifest)
    latents = np.tile(latent, (payload.frames, 1))  # [F,D]
    latents[:, payload.dimension] = np.linspace(low, high, payload.frames)
    with start_decoding(context.encoder, context.manifest.version, latents, kind="png") as pending:
        decoded = pending.finish(report)
    up = [Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))) for image in decoded.images]
    frames = up + up[-2:0:-1]
    stream = io.BytesIO()
    options = {"duration": payload.milliseconds, "loop": 0, "quality": _QUALITY}
    frames[0].save(stream, "webp", save_all=True, append_images=frames[1:], **options)
    kept = sum(
        1 for _ in ImageSequence.Iterator(Image.open(stream))
    )  # frames that do not differ become one that is shown longer
    return stream.getvalue(), kept, decoded.width, decoded.height
