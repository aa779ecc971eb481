"""Masks of drawn marks: discs, hairs, branching vessels."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from casekin.phantoms.noise import Field, Rng

OVERSAMPLING = 2
"""Marks are drawn that much larger and reduced, so that thin ones are smooth."""

Point = tuple[float, float]


class Mask:
    """A mask [H, W] in 0..1 under construction."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._image = Image.new("L", (shape[1] * OVERSAMPLING, shape[0] * OVERSAMPLING))
        self._pen = ImageDraw.Draw(self._image)

    def disc(self, centre: Point, radius: float, strength: float = 1.0) -> None:
        """A filled disc; pixels."""
        x, y = centre[0] * OVERSAMPLING, centre[1] * OVERSAMPLING
        r = radius * OVERSAMPLING
        self._pen.ellipse((x - r, y - r, x + r, y + r), fill=round(255 * strength))

    def line(self, points: list[Point], width: float, strength: float = 1.0) -> None:
        """A line through `points`; pixels."""
        scaled = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
        self._pen.line(scaled, fill=round(255 * strength), width=max(1, round(width * OVERSAMPLING)), joint="curve")

    def field(self, blur: float = 0.0) -> Field:
        """The mask, softened by a box of `blur` pixels to each side."""
        reduced = self._image.reduce(OVERSAMPLING)
        if blur:
            reduced = reduced.filter(ImageFilter.BoxBlur(blur))
        return np.asarray(reduced, dtype=np.float32) / np.float32(255)


def curve(start: Point, middle: Point, end: Point, pieces: int = 14) -> list[Point]:
    """Points of a quadratic Bézier curve."""
    t = np.linspace(0, 1, pieces + 1)[:, None]
    a, b, c = np.array(start), np.array(middle), np.array(end)
    return [(float(x), float(y)) for x, y in (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c]


def branching(mask: Mask, rng: Rng, start: Point, angle: float, length: float, width: float) -> None:
    """A vessel that wanders, thins and branches, as basal cell carcinomas have them."""
    if width < 0.7 or length < 5:
        return
    points = [start]
    for _ in range(6):
        angle += rng.normal(0, 0.38)
        points.append((points[-1][0] + length / 6 * np.cos(angle), points[-1][1] + length / 6 * np.sin(angle)))
    mask.line(points, width)
    for side in (-1, 1):
        if rng.random() < 0.75:
            branching(mask, rng, points[-1], angle + side * rng.uniform(0.2, 0.8), length * 0.7, width * 0.7)
