"""Grey values of DICOM through the file's own modality and window, where what it says of them can be used.

Devices write these elements empty, zero or in part; pydicom then raises, or divides by zero.
"""

from math import isfinite

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from casekin.errors import UnsupportedImage

Floats = NDArray[np.float64]


def shown_grey(pixels: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """Grey values [H,W] as they are shown, 0 black.

    The file's window counts if it has one; else all values that the stored bits can have, which a linear rescaling does
    not change, or for signed ones those that the image has.
    """
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    grey = pixels.astype(np.float64)
    low, high = _stored_range(grey, dataset)
    if dataset.get("ModalityLUTSequence"):
        grey = apply_modality_lut(pixels, dataset).astype(np.float64)
        low, high = 0.0, 2.0 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    elif slope and intercept is not None:
        grey = grey * slope + intercept
        low, high = low * slope + intercept, high * slope + intercept
    share = _windowed(grey, dataset, low, high)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        share = 1 - share
    return np.rint(share * 255).astype(np.uint8)


def _stored_range(grey: Floats, dataset: pydicom.Dataset) -> tuple[float, float]:
    if int(dataset.PixelRepresentation) == 0:
        return 0.0, 2.0 ** int(dataset.BitsStored) - 1
    return float(grey.min()), float(grey.max())


def _windowed(grey: Floats, dataset: pydicom.Dataset, low: float, high: float) -> Floats:
    """Values in 0..1: by the VOI table or window of the file, PS3.3 C.11.2, else between `low` and `high`."""
    if dataset.get("VOILUTSequence"):
        top = 2.0 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
        return np.clip(apply_voi(np.rint(grey).astype(np.int64), dataset) / top, 0, 1)
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    centre, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    if centre is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return _between(grey, low, high)
    if function == "LINEAR":
        return _between(grey, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)
    if function == "LINEAR_EXACT":
        return _between(grey, centre - width / 2, centre + width / 2)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (grey - centre) / width, -700, 700)))
    raise UnsupportedImage(
        f"the DICOM file has the VOI LUT function {function}; LINEAR, LINEAR_EXACT and SIGMOID are read here"
    )


def _between(grey: Floats, low: float, high: float) -> Floats:
    """0 at `low`, 1 at `high`; a negative slope has exchanged them, and turns the greys as the file says."""
    span = high - low
    return np.clip((grey - low) / (span if span else 1e-12), 0, 1)


def _number(dataset: pydicom.Dataset, name: str) -> float | None:
    """The first value of an element; none where it is absent, empty or no finite number."""
    element = dataset.get(name)
    if isinstance(element, (list, pydicom.multival.MultiValue)):
        element = element[0] if len(element) else None
    if element in (None, ""):
        return None
    try:
        number = float(element)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
