"""Properties of the images of a collection beside the diagnosis; dimensions of the latent are named after them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.image_cache import Pixels
from training.data.phantoms import has_phantom_factors, phantom_factors
from training.latent_space.lesion_measures import LEAST_PIXELS, MEASURES, measure

Floats = npt.NDArray[np.floating]

MASKS = "HAM10000_segmentations_lesion_tschandl.zip"


@dataclass(frozen=True)
class KnownFactors:
    """Image properties of a collection besides the diagnoses."""

    names: tuple[str, ...]
    """F display names"""
    values: Floats
    """[N,F]; F is 0 where nothing is known, and rows are NaN for images without a mask"""


def known_factors(folder: Path, ids: list[str], pixels: Pixels) -> KnownFactors:
    """Return the factors that phantoms were drawn from, or those measured where there are lesion masks, or none."""
    if has_phantom_factors(folder):
        truth = phantom_factors(folder, ids)
        return KnownFactors(tuple(f.name.replace("_", " ").capitalize() for f in truth.factors), truth.values)
    if (folder / MASKS).is_file():
        return KnownFactors(MEASURES, measured_factors(folder, ids, pixels))
    return KnownFactors((), np.empty((len(ids), 0)))


def measured_factors(folder: Path, ids: list[str], pixels: Pixels) -> Floats:
    """Return the factors [N,F] of the images; rows without a usable mask are NaN."""
    size = (pixels.shape[2], pixels.shape[1])
    result = np.full((len(ids), len(MEASURES)), np.nan)
    for row, inside in enumerate(lesion_masks(folder, ids, size)):
        if inside is not None and LEAST_PIXELS < inside.sum() < inside.size - LEAST_PIXELS:
            result[row] = measure(pixels[row], inside)
    return result


def lesion_masks(folder: Path, ids: list[str], size: tuple[int, int]) -> Iterator[npt.NDArray[np.bool_] | None]:
    """Yield the mask [H,W] of each image at `size` (width, height); None for one without."""
    with zipfile.ZipFile(folder / MASKS) as archive:
        members = {Path(name).stem.removesuffix("_segmentation"): name for name in archive.namelist()}
        for case in ids:
            if case not in members:
                yield None
                continue
            with archive.open(members[case]) as file, Image.open(file) as mask:
                yield np.asarray(mask.convert("L").resize(size, Image.Resampling.BILINEAR)) > 127
