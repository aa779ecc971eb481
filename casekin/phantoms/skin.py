"""Draws the skin around the lesion: its colour, furrows, mottling, ridges and follicles."""

import numpy as np

from casekin.phantoms.factors import Factors
from casekin.phantoms.noise import Field, Rng, blend, fractal_noise, smooth_noise
from casekin.phantoms.strokes import Mask

TONES = np.array([[0.95, 0.81, 0.76], [0.89, 0.71, 0.62], [0.72, 0.51, 0.40], [0.42, 0.28, 0.21]], dtype=np.float32)
"""From the palest skin to the darkest, RGB in 0..1."""


def draw_skin(factors: Factors, rng: Rng, shape: tuple[int, int], pixels_per_mm: float) -> Field:
    """Skin without a lesion, [3, H, W] in 0..1 before any light falls on it."""
    tone = np.array([np.interp(factors.skin_tone, [0, 1 / 3, 2 / 3, 1], channel) for channel in TONES.T])
    rng, ridges, follicles = rng.spawn(3)
    density = np.float32(0.035) * fractal_noise(rng, shape, pixels_per_mm * 1.2, 4, 0.8)
    density += np.float32(0.045) * _furrows(rng, shape, pixels_per_mm)
    density += np.float32(0.012) * rng.standard_normal(shape, dtype=np.float32)
    if factors.ridges > 0.03:
        density += np.float32(0.1 * factors.ridges) * _ridges(ridges, shape, pixels_per_mm)
    flush = np.float32(0.028) * fractal_noise(rng, shape, pixels_per_mm * 1.8, 4, 0.8)
    flush += np.float32(0.32 * factors.skin_redness)
    image = np.empty((3, *shape), dtype=np.float32)
    for channel, (by_pigment, by_blood) in enumerate(((0.6, 0.1), (1.0, 1.0), (1.25, 0.75))):
        absorbed = np.float32(by_pigment) * density + np.float32(by_blood) * flush
        image[channel] = np.float32(tone[channel]) * np.exp(-absorbed)
    if factors.follicles:
        openings = _follicles(factors.follicles, follicles, shape, pixels_per_mm)
        blend(image, (0.97, 0.88, 0.82), np.float32(0.45) * openings)
    return image


def _furrows(rng: Rng, shape: tuple[int, int], pixels_per_mm: float) -> Field:
    """Fine crossing lines, positive where it is darker: zero crossings of noise."""
    total = np.zeros(shape, dtype=np.float32)
    for cell in (0.5, 0.8):
        total += np.exp(-np.abs(smooth_noise(rng, shape, pixels_per_mm * cell)) * np.float32(7))
    return total - np.float32(0.3)


def _ridges(rng: Rng, shape: tuple[int, int], pixels_per_mm: float) -> Field:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    bent = along + np.float32(pixels_per_mm * 0.9) * smooth_noise(rng, shape, pixels_per_mm * 5)
    ridges: Field = np.sin(bent * np.float32(2 * np.pi / (0.55 * pixels_per_mm)))
    return ridges


def _follicles(count: int, rng: Rng, shape: tuple[int, int], pixels_per_mm: float) -> Field:
    mask = Mask(shape)
    for _ in range(count):
        point = (rng.uniform(0, shape[1]), rng.uniform(0, shape[0]))
        mask.disc(point, rng.uniform(0.08, 0.16) * pixels_per_mm, rng.uniform(0.3, 0.9))
    return mask.field(1)
