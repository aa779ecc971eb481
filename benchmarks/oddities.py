"""Out-of-distribution images: noise, text, photographs, faces, other medicine, skin in impossible colours.

Photographs are those that scikit-image and scikit-learn carry in their packages, so that nothing is downloaded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data
from sklearn.datasets import load_sample_images

from casekin.phantoms import draw, make_up

Pixels = NDArray[np.uint8]
WORDS = ("Dear", "colleague,", "please", "find", "attached", "the", "letter", "and", "the", "list", "of", "findings")


def oddities(lesions: Pixels, count: int, seed: int = 0) -> dict[str, Pixels]:
    """Return by kind `count` images [count,H,W,3] of the size of `lesions` [N,H,W,3]."""
    rng = np.random.default_rng(seed)
    height, width = lesions.shape[1:3]
    chosen = lesions[rng.choice(len(lesions), count, replace=len(lesions) < count)]
    return {
        "noise": np.stack([_noise(rng, height, width) for _ in range(count)]),
        "text": np.stack([_text(rng, height, width) for _ in range(count)]),
        "photographs": pieces(rng, _scenes(), count, (height, width)),
        "faces": pieces(rng, _faces(), count, (height, width), least=0.7),
        "other_medicine": pieces(rng, [data.retina(), data.immunohistochemistry()], count, (height, width)),
        "recoloured_lesions": np.stack([_recoloured(rng, one) for one in chosen]),
        "recoloured_phantoms": np.stack([_recoloured(rng, one) for one in _phantoms(count, (height, width), seed)]),
    }


def _noise(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Return noise of a random grain, from single pixels to large blots."""
    grain = int(rng.integers(1, 24))
    small = rng.integers(0, 256, (-(-height // grain), -(-width // grain), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def _text(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Return a page or a screen, dark on light or light on dark."""
    paper, ink = (int(rng.integers(200, 256)), int(rng.integers(0, 60)))[:: int(rng.choice([1, -1]))]
    page = Image.new("RGB", (width, height), (paper,) * 3)
    draw = ImageDraw.Draw(page)
    for top in range(int(rng.integers(2, 12)), height, int(rng.integers(10, 16))):
        draw.text((4, top), " ".join(rng.permutation(WORDS)), fill=(ink,) * 3)
    return np.asarray(page)


def _scenes() -> list[Pixels]:
    """Return a temple, a flower, a cup, a cat, a rocket, a motorcycle."""
    return [*load_sample_images().images, data.coffee(), data.chelsea(), data.rocket(), data.stereo_motorcycle()[0]]


def _faces() -> list[Pixels]:
    """Return a hundred small grey faces (Labeled Faces in the Wild), and as often a large one in colour."""
    faces: Pixels = (data.lfw_subset()[:100] * 255).astype(np.uint8)
    grey = [np.repeat(face[..., None], 3, axis=2) for face in faces]
    astronaut = np.asarray(data.astronaut()[0:280, 130:330])
    return [face for small in grey for face in (small, astronaut)]


def _phantoms(count: int, shape: tuple[int, int], seed: int) -> list[Pixels]:
    size = (shape[1], shape[0])
    return [
        np.asarray(draw(one.factors, lesion_seed=one.lesion_seed, view_seed=one.view_seed, size=size))
        for one in make_up(count, seed)
    ]


def pieces(
    rng: np.random.Generator, pictures: Sequence[Pixels], count: int, shape: tuple[int, int], least: float = 0.3
) -> Pixels:
    """Return random crops of the pictures in turn, mirrored at random, of `least` to all of the largest that fits."""
    height, width = shape
    made = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        scale = rng.uniform(least, 1.0) * min(picture.shape[0] / height, picture.shape[1] / width)
        h, w = max(1, int(height * scale)), max(1, int(width * scale))
        top, left = rng.integers(0, picture.shape[0] - h + 1), rng.integers(0, picture.shape[1] - w + 1)
        piece = Image.fromarray(picture[top : top + h, left : left + w][:, :: int(rng.choice([1, -1]))])
        made.append(np.asarray(piece.resize((width, height), Image.Resampling.BICUBIC)))
    return np.stack(made)


def _recoloured(rng: np.random.Generator, skin: Pixels) -> Pixels:
    """Exchange red, green and blue, or return a negative."""
    orders = [(2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0)]
    if rng.random() < 0.3:
        return np.asarray(255 - skin)
    return np.asarray(skin[..., list(orders[int(rng.integers(len(orders)))])])
