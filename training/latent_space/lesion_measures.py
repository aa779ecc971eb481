"""Measure what a dermatologist would describe of a lesion, on its image and its mask.

Shape measures follow the A and B of the ABCD rule (Stolz 1994), colours its C, dots its D. Lengths are relative to
the image, and colours that illumination changes are measured against the skin around.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from training.data.image_cache import Pixels

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

LEAST_PIXELS = 30
"""Inside of a lesion and outside; less is no lesion that could be measured."""
DOT = 1 / 96
"""Radius of a dot relative to the image's height."""
RED = np.array([1.0, -0.5, -0.5])
"""Red less the mean of the other two colours."""

MEASURES = (
    "Size",
    "Asymmetry",
    "Colour asymmetry",
    "Irregular border",
    "Elongation",
    "Border contrast",
    "Lesion darkness",
    "Redness",
    "Blue-white areas",
    "Lesion saturation",
    "Colour variety",
    "Dark dots",
    "Light dots",
    "Texture",
    "Skin darkness",
    "Skin redness",
    "Position left-right",
    "Position up-down",
    "Dark corners",
)
"""In the order in which `measure` returns them; each grows with what it is called after."""


class Shape(NamedTuple):
    """Outline of a lesion."""

    size: float
    """Square root of its share of the image."""
    asymmetry: float
    """Share of the lesion without a counterpart across its principal axes, mean of the two (0 for an ellipse)."""
    colour_asymmetry: float
    """Mean difference of colour, in 0..1, between pixels that mirror each other across a principal axis."""
    irregularity: float
    """Area between the lesion and the ellipse of the same second moments, relative to the lesion's."""
    elongation: float
    """Longer over shorter principal axis."""
    across: float
    """Centre from left to right, in 0..1."""
    down: float
    """Centre from top to bottom, in 0..1."""


def measure(pixels: Pixels, inside: Bools) -> Floats:
    """Return the measures [F] of one image uint8 [H,W,3] with its lesion's mask [H,W], in the order of `MEASURES`."""
    colour = pixels.astype(np.float32) / 255
    light, outside = colour.mean(2), ~inside
    shape = shape_of(colour, inside)
    lesion, skin = colour[inside].mean(0), np.median(colour[outside], 0)
    dark, bright = dots(light, inside)
    steps = np.abs(np.diff(light, axis=0))[:, 1:] + np.abs(np.diff(light, axis=1))[1:]
    corners = np.concatenate([light[:8, :8], light[:8, -8:], light[-8:, :8], light[-8:, -8:]]).mean()
    values = [
        shape.size,
        shape.asymmetry,
        shape.colour_asymmetry,
        shape.irregularity,
        shape.elongation,
        skin.mean() - lesion.mean(),
        -lesion.mean(),
        (lesion - skin) @ RED,
        blueness(colour, inside),
        (colour.max(2) - colour.min(2))[inside].mean(),
        colour[inside].std(0).mean(),
        dark,
        bright,
        steps[inside[1:, 1:]].mean(),
        -skin.mean(),
        skin @ RED,
        shape.across,
        shape.down,
        light.mean() - corners,
    ]
    return np.array(values, float)


def shape_of(colour: Floats, inside: Bools) -> Shape:
    """Return the shape of a lesion by its mask [H,W], and how its colours [H,W,3] differ across its axes."""
    height, width = inside.shape
    points = np.argwhere(inside).astype(float)  # [P,2], row and column
    centre = points.mean(0)
    # A pixel is a square, not a point: its own second moment is 1/12.
    variance, axes = np.linalg.eigh(np.cov((points - centre).T) + np.eye(2) / 12)
    mirrored, differences = [], []
    for axis in axes.T:  # columns
        counterpart = np.rint(points - 2 * ((points - centre) @ axis)[:, None] * axis).astype(int)
        within = ((counterpart >= 0) & (counterpart < (height, width))).all(1)
        row, column = counterpart[within].T
        present = inside[row, column]
        mirrored.append(1 - present.sum() / len(points))
        here, there = points[within][present].astype(int), counterpart[within][present]
        differences.append(np.abs(colour[tuple(here.T)] - colour[tuple(there.T)]).mean() if len(here) else 0.0)
    along = (np.argwhere(np.ones_like(inside)) - centre) @ axes / np.sqrt(variance)
    ellipse = ((along**2).sum(1) <= 4).reshape(inside.shape)  # the second moment of an ellipse is a quarter of axis^2
    return Shape(
        size=float(inside.mean() ** 0.5),
        asymmetry=float(np.mean(mirrored)),
        colour_asymmetry=float(np.mean(differences)),
        irregularity=float((ellipse ^ inside).sum() / len(points)),
        elongation=float(np.sqrt(variance[1] / variance[0])),
        across=float((centre[1] + 0.5) / width),
        down=float((centre[0] + 0.5) / height),
    )


def blueness(colour: Floats, inside: Bools) -> float:
    """Return how blue the bluest tenth of a lesion is against the skin: of a veil, or of white or blue areas.

    Blueness is the share of blue in a colour's sum: white has more of it than skin, and a blue veil most.
    """
    share = colour[..., 2] / np.maximum(colour.sum(2), 1 / 255)
    return float(np.quantile(share[inside], 0.9) - np.median(share[~inside]))


def dots(light: Floats, inside: Bools) -> tuple[float, float]:
    """Return how much of a lesion consists of dark dots, and of light ones, by its lightness [H,W].

    At a dot lightness is curved alike in all directions, on a line (a hair, a network) in one only: so the weaker of
    its two principal curvatures counts where both have one sign, in units of lightness over a dot.
    """
    radius = max(1.0, DOT * light.shape[0])
    smooth = gaussian_filter(light.astype(np.float32), radius, mode="nearest")
    down, across = np.gradient(smooth)
    (yy, yx), (_, xx) = np.gradient(down), np.gradient(across)
    mean, apart = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    scale = 100 * radius**2
    dark, bright = np.maximum(mean - apart, 0), np.maximum(-mean - apart, 0)
    return float(scale * dark[inside].mean()), float(scale * bright[inside].mean())
