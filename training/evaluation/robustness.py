"""Retrieval figures when the query's image is disturbed and the gallery is not.

Disturbances imitate what happens to an image between skin and upload. Their lengths are shares of the image's width, so
that a small copy and the original suffer alike.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from casekin.collections import ImageSource
from casekin.imaging.read import cover, read_image
from casekin.phantoms.draw import FIELD_OF_VIEW
from casekin.phantoms.view import ORANGE, VIOLET, add_hair
from training.evaluation.bootstrap import Interval, retrieval_intervals
from training.evaluation.metrics import HEADLINE
from training.evaluation.retrieval import Floats
from training.evaluation.split import Split, Vectors
from training.evaluation.systems import BATCH, System

UNDISTURBED = "as they are"
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


def robustness(
    system: System,
    split: Split,
    vectors: Vectors,
    sources: Mapping[str, ImageSource],
    disturbances: Sequence[Disturbance] = DISTURBANCES,
) -> dict[str, dict[str, Interval]]:
    """Return the headline figures by kind of disturbance, undisturbed ones first.

    The image is disturbed at the size that it has in the collection, then brought to the encoder as an upload is.
    """
    result = {UNDISTURBED: _headline(split, vectors)}
    for disturbance in disturbances:
        latents = vectors.latents.copy()
        latents[split.queries] = disturbed_latents(system, split, sources, disturbance)
        result[disturbance.name] = _headline(split, Vectors(disturbance.name, latents, vectors.weights))
    return result


def disturbed_latents(
    system: System, split: Split, sources: Mapping[str, ImageSource], disturbance: Disturbance
) -> Floats:
    """Return the latents [Q,D] of the disturbed queries; random disturbances are seeded by the row."""
    result = []
    for start in range(0, len(split.queries), BATCH):
        rows = split.queries[start : start + BATCH]
        images = [read_image(sources[split.cases[row].id].read()) for row in rows]
        changed = [
            disturbance.apply(image, np.random.default_rng(row)) for image, row in zip(images, rows, strict=True)
        ]
        result.append(system.embed(np.stack([np.asarray(cover(image, system.input)) for image in changed])))
    return np.concatenate(result)


def _headline(split: Split, vectors: Vectors) -> dict[str, Interval]:
    measured = retrieval_intervals(split.retrieve(vectors))
    return {name: measured[name] for name in HEADLINE if name in measured}
