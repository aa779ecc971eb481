"""Draws the lesion itself: layers of pigment, blood, veil and white, and the structures in them. Fields are [S, S]."""

import numpy as np

from casekin.phantoms import structures
from casekin.phantoms.factors import Factors
from casekin.phantoms.layers import Layers
from casekin.phantoms.noise import Rng, fractal_noise
from casekin.phantoms.outline import Canvas, draw_outline, fill


def draw_lesion(factors: Factors, rng: Rng, pixels_per_mm: float) -> Layers:
    """The layers of a lesion; the same factors and generator state give the same lesion.

    Every step has chance of its own, so that a factor changes what it stands for and nothing else.
    """
    shape, edge, pigment, *others = rng.spawn(3 + len(structures.ALL))
    canvas = fill(draw_outline(factors, shape), factors, edge, pixels_per_mm)
    layers = _pigment(factors, pigment, canvas)
    for structure, chance in zip(structures.ALL, others, strict=True):
        structure(factors, chance, canvas, layers)
    return layers


def _pigment(factors: Factors, rng: Rng, canvas: Canvas) -> Layers:
    uneven = fractal_noise(rng, canvas.shape, canvas.radius * 0.6, 4, 0.6)
    grain = fractal_noise(rng, canvas.shape, canvas.mm * 0.7, 3, 0.75)
    tilt = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(tilt)) * canvas.x + np.float32(np.sin(tilt)) * canvas.y
    relative = 1 + np.float32(rng.uniform(-0.1, 0.35)) * np.clip(canvas.depth, -0.5, 1)
    relative += np.float32(0.6 * factors.variegation) * uneven
    relative += np.float32(0.1 + 0.16 * factors.variegation) * grain
    relative += np.float32(0.45 * factors.asymmetry) * slope
    melanin = np.float32(0.12 + 2.1 * factors.darkness**1.4) * canvas.inside * np.maximum(relative, 0.08)
    return Layers(melanin, *(np.zeros_like(melanin) for _ in range(3)))
