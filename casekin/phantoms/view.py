"""What lies between the skin and the sensor: hair, the dermatoscope's light and rim, focus, white balance."""

import math

import numpy as np
from PIL import Image, ImageFilter

from casekin.phantoms.factors import Factors
from casekin.phantoms.noise import Field, Rng, blend
from casekin.phantoms.strokes import Mask, curve

VIOLET, ORANGE = (0.93, 0.93, 1.12), (1.05, 0.99, 0.86)
"""Gains of RGB at the ends of the tint."""


def add_hair(image: Field, hairs: int, rng: Rng, pixels_per_mm: float) -> None:
    """Draw so many hairs over `image` [3, H, W], in place; they lean to a common direction, as they grow."""
    if not hairs:
        return
    height, width = image.shape[1:]
    mask = Mask((height, width))
    lean = rng.uniform(0, np.pi)
    thickness = rng.uniform(0.05, 0.11) * pixels_per_mm
    short = rng.random() < 0.4
    for _ in range(hairs):
        start = np.array([rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.1, 1.1) * height])
        angle = lean + rng.normal(0, 0.45)
        length = (rng.uniform(1, 3) if short else rng.uniform(5, 16)) * pixels_per_mm
        way = length * np.array([np.cos(angle), np.sin(angle)])
        sideways = np.array([-way[1], way[0]]) * rng.normal(0, 0.18)
        points = curve(tuple(start), tuple(start + way / 2 + sideways), tuple(start + way))
        mask.line(points, thickness * rng.uniform(0.7, 1.3), rng.uniform(0.6, 0.95))
    shade = rng.uniform(0.05, 0.3)
    blend(image, (shade * 1.1, shade * 0.85, shade * 0.8), mask.field())


def add_light(image: Field, factors: Factors, rng: Rng) -> None:
    """Exposure, fall-off, gradient, tint and the dark rim, on `image` [3, H, W] in place."""
    height, width = image.shape[1:]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    from_centre = x * x + y * y * np.float32((height / width) ** 2)
    light = np.float32(2**factors.exposure) * (1 - np.float32(0.16) * from_centre)
    light *= 1 - np.float32(factors.light_gradient / 2) * (1 + slope) / 2
    if factors.vignette > 0.02:
        radius = 1.28 - 0.36 * factors.vignette
        light *= np.float32(0.02) + np.float32(0.98) * _rim(radius - np.sqrt(from_centre))
    end = ORANGE if factors.tint > 0 else VIOLET
    for channel in range(3):
        image[channel] *= light * np.float32(1 + abs(factors.tint) * (end[channel] - 1))


def _rim(inward: Field) -> Field:
    ramp: Field = np.clip(inward / np.float32(0.07) + np.float32(0.5), 0, 1)
    return ramp * ramp


def develop(image: Field, factors: Factors, rng: Rng) -> Image.Image:
    """`image` [3, H, W] as the camera stores it: defocused, a little noisy, eight bits."""
    height, width = image.shape[1:]
    noise = rng.standard_normal((height, width), dtype=np.float32) * np.float32(0.008)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.clip((image[channel] + noise) * np.float32(255), 0, 255)
    picture = Image.fromarray(pixels)
    deviation = factors.blur * width / 600
    if deviation < 0.2:
        return picture
    return picture.filter(ImageFilter.BoxBlur((math.sqrt(12 * deviation**2 + 1) - 1) / 2))
