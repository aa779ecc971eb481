"""Sprites: the factor grid of dSprites (Matthey 2017), redrawn with smooth edges.

3 shapes x 6 sizes x 40 orientations x 32 x 32 places = 737,280 pictures, white on black. Shapes are areas given by a
formula, a pixel is white as far as it is covered, and orientations are 40 different ones over the full circle (dSprites
counts 0 and 360 degrees as two). Nothing is stored: a picture is a window on its shape's canvas.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from training.data.ground_truth import Factor, FactorTable
from training.data.image_cache import Pixels

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRID = (3, 6, 40, 32, 32)
"""Levels of each factor."""
FACTORS = (
    Factor("shape", ordered=False),
    Factor("scale", ordered=True),
    Factor("orientation", ordered=True),
    Factor("position x", ordered=True),
    Factor("position y", ordered=True),
)
RADIUS = 0.22
"""Of the circle around the largest sprite, as a share of the picture's side."""
SUBSAMPLES = 4
"""Along each side of a pixel, to find how much of it is covered."""


class Sprites:
    """All pictures of the grid at one size, by position; the last factor changes fastest."""

    def __init__(self, size: int = 64) -> None:
        """Take the side in pixels, a multiple of 32: then every place lies on a half pixel."""
        if size <= 0 or size % 32:
            raise ValueError(f"size is {size}; sprites can be drawn at multiples of 32 pixels")
        self.shape = (size, size, 1)
        self._size = size
        self._step = size // 32  # of a place, in half pixels
        self._windows = sliding_window_view(_canvases(size), (size, size), axis=(-2, -1))

    def __len__(self) -> int:
        """Return the number of pictures."""
        return int(np.prod(GRID))

    def batch(self, positions: Ints) -> Pixels:
        """Return the pictures at these positions, uint8 [B,size,size,1]."""
        shape, scale, turn, x, y = np.unravel_index(positions, GRID)
        left, top = x * self._step, y * self._step  # in half pixels
        last = self._size // 2
        drawn = self._windows[shape, scale, turn, top % 2, left % 2, last - top // 2, last - left // 2]  # [B,size,size]
        return drawn[..., None]

    def truth(self, positions: Ints) -> FactorTable:
        """Return the level of each factor, from 0, for the pictures at these positions."""
        return FactorTable(FACTORS, np.stack(np.unravel_index(positions, GRID), 1).astype(np.float64))


@cache
def _canvases(size: int) -> Pixels:
    """Return uint8 [3,6,40,2,2,3/2 size,3/2 size]: shape, size, orientation, half pixel down and right."""
    side = size // 2 + 2  # any sprite fits
    canvas = np.zeros((*GRID[:3], 2, 2, size * 3 // 2, size * 3 // 2), np.uint8)
    # The window of place 0 begins at size/2; there the centre is size/4 + size/128 into the picture.
    corner = size // 2 + size // 4 - side // 2
    for down, right in np.ndindex(2, 2):
        grid = (np.arange(side * SUBSAMPLES) + 0.5) / SUBSAMPLES - side // 2 - size / 128
        rows, columns = np.meshgrid(grid - down / 2, grid - right / 2, indexing="ij")
        for shape, scale, turn in np.ndindex(*GRID[:3]):
            inside = _inside(shape, *_turned(columns, rows, size, scale, turn))
            covered = inside.reshape(side, SUBSAMPLES, side, SUBSAMPLES).mean((1, 3))
            area = np.round(covered * 255).astype(np.uint8)
            canvas[shape, scale, turn, down, right, corner : corner + side, corner : corner + side] = area
    return canvas


def _turned(columns: Floats, rows: Floats, size: int, scale: int, turn: int) -> tuple[Floats, Floats]:
    # Scales run evenly from one half to one, as those of dSprites do.
    unit = RADIUS * size * (0.5 + 0.5 * scale / (GRID[1] - 1))
    angle = 2 * np.pi * turn / GRID[2]
    cosine, sine = np.cos(angle) / unit, np.sin(angle) / unit
    return cosine * columns + sine * rows, cosine * rows - sine * columns


def _inside(shape: int, u: Floats, v: Floats) -> Bools:
    """Return which points lie in the shape, which fits into the unit circle."""
    if shape == 0:
        square: Bools = np.maximum(abs(u), abs(v)) <= np.sqrt(0.5)
        return square
    if shape == 1:
        ellipse: Bools = u**2 + (v / 0.6) ** 2 <= 1
        return ellipse
    a, b = 1.27 * u, 0.12 - 1.27 * v  # heart, upright on a picture whose rows run down
    heart: Bools = (a**2 + b**2 - 1) ** 3 <= a**2 * b**3
    return heart
