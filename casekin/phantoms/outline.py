"""The outline of a lesion, filled: which pixels lie in it, and how deep.

The lesion has a square of its own, S x S pixels, as many as it needs; the view then turns and places it. One radius is
that of the disc of the same area.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from casekin.phantoms.factors import Factors
from casekin.phantoms.noise import Field, Rng, fractal_noise, soft_step


@dataclass(frozen=True)
class Canvas:
    """The square of a lesion; all fields are [S, S]."""

    x: Field
    """Coordinates in radii."""
    y: Field
    inside: Field
    """Share of each pixel that lies in the lesion, 0..1."""
    depth: Field
    """How deep in it, in radii; negative outside."""
    mm: float
    """Pixels of one millimetre."""
    radius: float
    """Pixels of one radius."""

    @property
    def shape(self) -> tuple[int, int]:
        """S, S."""
        return self.x.shape[0], self.x.shape[1]

    def point(self, rng: Rng, spread: float) -> tuple[float, float]:
        """A random point within `spread` radii of the centre, in pixels."""
        distance, angle = self.radius * spread * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        half = self.shape[0] / 2
        return half + distance * np.cos(angle), half + distance * np.sin(angle)


@dataclass(frozen=True)
class Outline:
    """Distance of the border from the centre, in radii, by direction; before it is stretched."""

    angles: NDArray[np.float64]
    distance: NDArray[np.float64]
    stretch: float
    fade: float
    """Half the width of the border in radii."""

    @property
    def reach(self) -> float:
        """Half the side of a square that holds all of it."""
        return float(self.distance.max()) * self.stretch + 2.4 * self.fade + 0.25


def draw_outline(factors: Factors, rng: Rng) -> Outline:
    """A Fourier series: its low orders make a lesion asymmetric, the high ones irregular."""
    angles = np.linspace(-np.pi, np.pi, 361)
    distance = np.ones_like(angles)
    for order in range(1, 15):
        asymmetric, irregular = (
            0.16 * factors.asymmetry / order**0.5,
            0.13 * factors.border_irregularity / (order - 2.5),
        )
        strength = 0.012 / order + (asymmetric if order <= 3 else irregular)
        distance += strength * rng.normal() * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    distance = np.clip(distance, 0.45, 1.5)
    distance /= np.sqrt(np.mean(distance**2))
    return Outline(angles, distance, factors.elongation**0.5, 0.02 + 0.28 * (1 - factors.border_sharpness) ** 1.5)


def fill(outline: Outline, factors: Factors, rng: Rng, pixels_per_mm: float) -> Canvas:
    """The canvas of a lesion with this outline, its edge frayed."""
    radius = factors.diameter / 2 * pixels_per_mm
    axis = np.linspace(-outline.reach, outline.reach, max(24, round(2 * outline.reach * radius)), dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    across, up = x / np.float32(outline.stretch), y * np.float32(outline.stretch)
    angle = np.arctan2(up, across)
    border = np.interp(angle.ravel(), outline.angles, outline.distance).astype(np.float32).reshape(x.shape)
    frayed = fractal_noise(rng, (len(axis), len(axis)), radius * 0.35, 4, 0.62)
    depth = border - np.sqrt(across * across + up * up)
    depth += np.float32(0.03 + 0.1 * factors.border_irregularity) * frayed
    inside = np.maximum((soft_step(depth, outline.fade) - np.float32(0.04)) / np.float32(0.96), 0)
    return Canvas(x, y, inside, depth, pixels_per_mm, radius)
