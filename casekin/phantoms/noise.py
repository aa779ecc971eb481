"""Random fields and soft steps, the material of all drawing.

H, W: height and width in pixels. Fields are [H, W], pictures in the making [3, H, W] in RGB order; all are float32.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
Rng = np.random.Generator


def smooth_noise(rng: Rng, shape: tuple[int, int], cell: float) -> Field:
    """[H, W] of zero mean and roughly unit spread that varies over `cell` pixels."""
    return resized(_grid(rng, shape, cell), shape)


def fractal_noise(rng: Rng, shape: tuple[int, int], cell: float, octaves: int, fading: float = 0.5) -> Field:
    """Sum of `octaves` of smooth noise, each half as wide and `fading` as strong; roughly unit spread."""
    total = _grid(rng, shape, cell)
    power = 1.0
    for octave in range(1, octaves):
        finer = _grid(rng, shape, cell / 2**octave)
        weight = np.float32(fading**octave)
        total = resized(total, finer.shape) + weight * finer
        power += float(weight) ** 2
    return resized(total, shape) / np.float32(np.sqrt(power))


def _grid(rng: Rng, shape: tuple[int, int], cell: float) -> Field:
    rows, columns = (min(size, max(2, round(size / cell) + 1)) for size in shape)
    return rng.standard_normal((rows, columns), dtype=np.float32)


def resized(field: Field, shape: tuple[int, ...]) -> Field:
    """`field` brought to [H, W] by cubic interpolation."""
    image = Image.fromarray(field).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.float32)


def soft_step(value: Field, width: float) -> Field:
    """Rises from 0 to 1 about 0, over `width` either side: a logistic function, cheap enough for every pixel."""
    scaled = value / np.float32(max(width, 1e-3))
    step: Field = np.float32(0.5) + np.float32(0.5) * scaled / np.sqrt(1 + scaled * scaled)
    return step


def blend(image: Field, colour: tuple[float, float, float], amount: Field) -> None:
    """Move `image` [3, H, W] towards `colour` by `amount` [H, W], in place."""
    for channel, value in enumerate(colour):
        image[channel] += amount * (np.float32(value) - image[channel])
