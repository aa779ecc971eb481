"""Quality of an upload: size, sharpness, brightness, and how well the model reconstructs it."""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import Quality

Array = NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
LEAST_SEEN = 0.7
"""Share of the image's area; 4:3 keeps all, a square or 16:9 three quarters."""
KNOWN = "99 % of the images the model learned from"


@dataclass(frozen=True)
class Upload:
    """The uploaded image before it was scaled."""

    width: int
    height: int
    """Pixels, as it is upright."""
    turned: bool
    """By 90 degrees, to be encoded."""
    seen: float
    """Share of its area that is encoded."""


def measure(upload: Upload, pixels: Array, error: float | None, manifest: BundleManifest) -> Quality:
    """Quality of an upload, with its encoder input [3,H,W] and its reconstruction error if known."""
    luma = np.tensordot(LUMA, pixels, 1)
    sharpness, brightness = laplacian_variance(luma) * 1000, float(luma.mean())
    return Quality(
        width=upload.width,
        height=upload.height,
        turned=upload.turned,
        sharpness=sharpness,
        brightness=min(max(brightness, 0.0), 1.0),
        reconstruction_error=error,
        warnings=_warnings(upload, sharpness, brightness, error, manifest),
    )


def laplacian_variance(luma: Array) -> float:
    """Variance of the 4-neighbour Laplacian over the inner pixels of an image [H,W]."""
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.var(around - 4 * inner))


def _warnings(
    upload: Upload, sharpness: float, brightness: float, error: float | None, manifest: BundleManifest
) -> list[str]:
    """What is odd, by the quantiles of the bundle; a missing quantile gives no warning."""
    spec, limits = manifest.input, manifest.out_of_distribution
    found = []
    width, height = upload.width, upload.height
    long, short = max(spec.width, spec.height), min(spec.width, spec.height)
    if max(width, height) < long or min(width, height) < short:
        found.append(f"Small image: {width} x {height} pixels; the model looks at {spec.width} x {spec.height}")
    if upload.seen < LEAST_SEEN:
        found.append(
            f"Long image: the model looks at the middle {100 * upload.seen:.0f} % of it; crop it about the lesion"
        )
    if sharpness < limits.get("sharpness_0.01", -inf):
        found.append(f"Blurred: less sharp than {KNOWN}")
    if brightness < limits.get("brightness_0.01", -inf):
        found.append(f"Very dark: mean brightness {100 * brightness:.0f} %, less than {KNOWN}")
    if brightness > limits.get("brightness_0.99", inf):
        found.append(f"Very bright: mean brightness {100 * brightness:.0f} %, more than {KNOWN}")
    if error is not None and error > limits.get("reconstruction_error_0.99", inf):
        found.append("Poorly reconstructed: may not be a dermatoscopic image")
    return found
