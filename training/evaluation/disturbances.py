"""What happens to an image between skin and upload, as far as it can be imitated on the image alone.

Lengths are shares of the image's width, so that a small copy and the original suffer alike.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from casekin.phantoms.draw import FIELD_OF_VIEW
from casekin.phantoms.view import ORANGE, VIOLET, add_hair

HAIRS = 15
COARSER = 3


@dataclass(frozen=True)
class Disturbance:
    """One kind at one strength."""

    name: str
    """In plain words, with the strength."""
    apply: Callable[[Image.Image, np.random.Generator], Image.Image]
    """RGB -> RGB of the same size."""


def _compressed(image: Image.Image, _: np.random.Generator, *, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _blurred(image: Image.Image, _: np.random.Generator, *, deviation: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(deviation * image.width))


def _lit(image: Image.Image, _: np.random.Generator, *, gains: tuple[float, float, float]) -> Image.Image:
    scaled = np.asarray(image, np.float32) * np.array(gains, np.float32)
    return Image.fromarray(np.clip(scaled + 0.5, 0, 255).astype(np.uint8))


def _hairy(image: Image.Image, random: np.random.Generator) -> Image.Image:
    field = np.asarray(image, np.float32).transpose(2, 0, 1) / np.float32(255)
    add_hair(field, HAIRS, random, image.width / FIELD_OF_VIEW)
    return Image.fromarray(np.clip(field * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _coarsened(image: Image.Image, _: np.random.Generator) -> Image.Image:
    small = image.resize((image.width // COARSER, image.height // COARSER), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.BICUBIC)


DISTURBANCES = (
    Disturbance("JPEG quality 90", partial(_compressed, quality=90)),
    Disturbance("JPEG quality 50", partial(_compressed, quality=50)),
    Disturbance("JPEG quality 20", partial(_compressed, quality=20)),
    Disturbance("slight blur (0.4 % of width)", partial(_blurred, deviation=0.004)),
    Disturbance("strong blur (1 % of width)", partial(_blurred, deviation=0.01)),
    Disturbance("a quarter darker", partial(_lit, gains=(0.75, 0.75, 0.75))),
    Disturbance("a fifth brighter", partial(_lit, gains=(1.2, 1.2, 1.2))),
    Disturbance("violet tint", partial(_lit, gains=VIOLET)),
    Disturbance("orange tint", partial(_lit, gains=ORANGE)),
    Disturbance(f"{HAIRS} hairs drawn in", _hairy),
    Disturbance("a third of the resolution", _coarsened),
)
