"""Pictures that no dermatoscope takes: noise, text, photographs, lesions in impossible colours."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

Pixels = NDArray[np.uint8]
WORDS = ("Dear", "colleague,", "please", "find", "attached", "the", "letter", "and", "the", "list", "of", "findings")


def oddities(lesions: Pixels, count: int, seed: int = 0) -> dict[str, Pixels]:
    """By kind, `count` images [count, H, W, 3] of the size of `lesions` [N, H, W, 3]."""
    rng = np.random.default_rng(seed)
    height, width = lesions.shape[1:3]
    chosen = lesions[rng.choice(len(lesions), count, replace=len(lesions) < count)]
    return {
        "noise": np.stack([_noise(rng, height, width) for _ in range(count)]),
        "text": np.stack([_text(rng, height, width) for _ in range(count)]),
        "photographs": np.stack(list(_photographs(rng, count, height, width))),
        "impossible colours": np.stack([_recoloured(rng, one) for one in chosen]),
    }


def _noise(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Of a random grain, from single pixels to large blots."""
    grain = int(rng.integers(1, 24))
    small = rng.integers(0, 256, (-(-height // grain), -(-width // grain), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def _text(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A page or a screen, dark on light or light on dark."""
    paper, ink = (int(rng.integers(200, 256)), int(rng.integers(0, 60)))[:: int(rng.choice([1, -1]))]
    page = Image.new("RGB", (width, height), (paper,) * 3)
    draw = ImageDraw.Draw(page)
    for top in range(int(rng.integers(2, 12)), height, int(rng.integers(10, 16))):
        draw.text((4, top), " ".join(rng.permutation(WORDS)), fill=(ink,) * 3)
    return np.asarray(page)


def _photographs(rng: np.random.Generator, count: int, height: int, width: int) -> Iterator[Pixels]:
    """Pieces of two photographs, of a temple and of a flower."""
    scenes: Sequence[Pixels] = load_sample_images().images
    for number in range(count):
        scene = scenes[number % len(scenes)]
        scale = rng.uniform(0.3, 1.0) * min(scene.shape[0] / height, scene.shape[1] / width)
        h, w = int(height * scale), int(width * scale)
        top, left = rng.integers(0, scene.shape[0] - h + 1), rng.integers(0, scene.shape[1] - w + 1)
        piece = Image.fromarray(scene[top : top + h, left : left + w])
        yield np.asarray(piece.resize((width, height), Image.Resampling.BOX))


def _recoloured(rng: np.random.Generator, lesion: Pixels) -> Pixels:
    """A real lesion with red, green and blue exchanged, or as a negative."""
    orders = [(2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0)]
    if rng.random() < 0.3:
        return np.asarray(255 - lesion)
    return np.asarray(lesion[..., list(orders[int(rng.integers(len(orders)))])])
