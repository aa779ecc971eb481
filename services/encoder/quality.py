"""What can be said of an upload without knowing medicine: size, sharpness, light, and whether the model knows it."""

from math import inf

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import Quality

Array = NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
KNOWN = "99 % of the images the model learned from"


def measure(width: int, height: int, pixels: Array, error: float | None, manifest: BundleManifest) -> Quality:
    """Quality of an upload of `width` x `height`, its encoder input [3,H,W] and its reconstruction error if known."""
    luma = np.tensordot(LUMA, pixels, 1)
    sharpness, brightness = laplacian_variance(luma) * 1000, float(luma.mean())
    return Quality(
        width=width,
        height=height,
        sharpness=sharpness,
        brightness=min(max(brightness, 0.0), 1.0),
        reconstruction_error=error,
        warnings=_warnings(width, height, sharpness, brightness, error, manifest),
    )


def laplacian_variance(luma: Array) -> float:
    """Variance of the 4-neighbour Laplacian over the inner pixels of an image [H,W]."""
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.var(around - 4 * inner))


def _warnings(
    width: int, height: int, sharpness: float, brightness: float, error: float | None, manifest: BundleManifest
) -> list[str]:
    """What is odd, by the quantiles of the bundle; one that it does not have says nothing."""
    spec, limits = manifest.input, manifest.out_of_distribution
    found = []
    if width < spec.width or height < spec.height:
        found.append(f"Small image: {width} x {height} pixels; the model looks at {spec.width} x {spec.height}")
    if sharpness < limits.get("sharpness_0.01", -inf):
        found.append(f"Blurred: less sharp than {KNOWN}")
    if brightness < limits.get("brightness_0.01", -inf):
        found.append(f"Very dark: mean brightness {100 * brightness:.0f} %, less than {KNOWN}")
    if brightness > limits.get("brightness_0.99", inf):
        found.append(f"Very bright: mean brightness {100 * brightness:.0f} %, more than {KNOWN}")
    if error is not None and error > limits.get("reconstruction_error_0.99", inf):
        found.append("Poorly reconstructed: may not be a dermatoscopic image")
    return found
