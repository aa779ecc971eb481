"""Images of the model as data URIs."""

import base64
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Format = Literal["jpeg", "png", "webp"]
QUALITY = 85
"""Of JPEG and WebP: no loss is visible on the decoder's smooth images."""


def data_uri(pixels: NDArray[np.float32], kind: Format = "jpeg") -> str:
    """One image [3,h,w] in 0..1 as ``data:image/...;base64,...``."""
    channels = (pixels * 255 + np.float32(0.5)).astype(np.uint8)
    file = io.BytesIO()
    # Pillow puts channels together in half the time that numpy takes to bring them into Pillow's order.
    Image.merge("RGB", [Image.fromarray(channel) for channel in channels]).save(file, kind, quality=QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
