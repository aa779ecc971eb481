"""Measure properties of a lesion on its image; dimensions of the latent are named after them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.image_cache import Pixels
from training.data.phantoms import has_phantom_factors, phantom_factors

Floats = npt.NDArray[np.floating]

MASKS = "HAM10000_segmentations_lesion_tschandl.zip"
FACTORS = (
    "Size",
    "Lesion darkness",
    "Lesion redness",
    "Lesion saturation",
    "Skin darkness",
    "Skin redness",
    "Border contrast",
    "Colour variety",
    "Elongation",
    "Irregular outline",
    "Position left-right",
    "Position up-down",
    "Texture",
    "Dark corners",
)


def measure(pixels: Pixels, inside: npt.NDArray[np.bool_]) -> Floats:
    """Return the factors [F] of one image uint8 [H,W,3] with its lesion's mask [H,W]."""
    colour = pixels.astype(np.float64) / 255
    light = colour.mean(2)
    red = colour[..., 0] - colour[..., 1:].mean(2)
    spread = colour.max(2) - colour.min(2)
    rows, columns = np.nonzero(inside)
    height, width = inside.shape
    outside = ~inside
    corners = np.concatenate([light[:8, :8], light[:8, -8:], light[-8:, :8], light[-8:, -8:]]).mean()
    steps = np.abs(np.diff(light, axis=0))[:, 1:] + np.abs(np.diff(light, axis=1))[1:]
    axes = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(np.stack([rows, columns]).astype(float))), 1e-9))
    edge = int((inside[1:] != inside[:-1]).sum() + (inside[:, 1:] != inside[:, :-1]).sum())
    return np.array(
        [
            inside.mean() ** 0.5,
            -light[inside].mean(),
            red[inside].mean(),
            spread[inside].mean(),
            -light[outside].mean(),
            red[outside].mean(),
            light[outside].mean() - light[inside].mean(),
            colour[inside].std(0).mean(),
            axes[1] / axes[0],
            edge / np.sqrt(inside.sum()),
            columns.mean() / width,
            rows.mean() / height,
            steps[inside[1:, 1:]].mean(),
            light.mean() - corners,
        ]
    )


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
        return KnownFactors(FACTORS, measured_factors(folder, ids, pixels))
    return KnownFactors((), np.empty((len(ids), 0)))


def measured_factors(folder: Path, ids: list[str], pixels: Pixels) -> Floats:
    """Return the factors [N,F] of the images; rows without a usable mask are NaN."""
    size = (pixels.shape[2], pixels.shape[1])
    result = np.full((len(ids), len(FACTORS)), np.nan)
    for row, inside in enumerate(_masks(folder, ids, size)):
        if inside is not None and 30 < inside.sum() < inside.size - 30:
            result[row] = measure(pixels[row], inside)
    return result


def _masks(folder: Path, ids: list[str], size: tuple[int, int]) -> Iterator[npt.NDArray[np.bool_] | None]:
    with zipfile.ZipFile(folder / MASKS) as archive:
        members = {Path(name).stem.removesuffix("_segmentation"): name for name in archive.namelist()}
        for case in ids:
            if case not in members:
                yield None
                continue
            with archive.open(members[case]) as file, Image.open(file) as mask:
                yield np.asarray(mask.convert("L").resize(size, Image.Resampling.BILINEAR)) > 127
