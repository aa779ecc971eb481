"""Baselines measured by the same code: the model's own features, ImageNet's features, mean colour, chance."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from casekin.atomic_files import stream_durably
from casekin.collections import ImageSource
from casekin.contracts.bundle import InputSpec
from training.data.image_cache import Pixels, encoder_pixels
from training.evaluation.retrieval import Floats
from training.evaluation.split import Vectors
from training.models.backbone import Backbone, load_imagenet
from training.models.guided_vae import PIXEL_MEAN, PIXEL_STD

RANDOM_DIMENSIONS = 32
FROZEN_INPUT = InputSpec(height=160, width=208, resample="bilinear")
BATCH = 64
OWN_FEATURES = "own features, cosine"
"""The encoder's pooled features as the backbone learned them, before they are condensed to the latent."""


def random_latents(count: int, seed: int = 0) -> Vectors:
    """Return latents drawn at random, which carry no information."""
    latents = np.random.default_rng(seed).normal(size=(count, RANDOM_DIMENSIONS))
    return Vectors("random", latents, np.ones(RANDOM_DIMENSIONS))


def mean_colour(pixels: Pixels) -> Vectors:
    """Return the mean red, green and blue of images uint8 [N,H,W,3] as latents."""
    colours = np.stack([image.mean((0, 1), dtype=np.float64) for image in pixels])
    return Vectors("mean colour", colours, np.ones(3))


def frozen_imagenet(sources: Mapping[str, ImageSource], ids: Sequence[str], store: Path) -> Vectors:
    """Return the pooled last features of EfficientNet-Lite0 as ImageNet left it, under cosine similarity.

    Features [N,1280] are cached in the folder `store` in a file named by the content of the images.
    """
    files = [sources[name].read() for name in ids]
    key = hashlib.sha256(b"".join(hashlib.sha256(file).digest() for file in files)).hexdigest()[:16]
    size = f"{FROZEN_INPUT.height}x{FROZEN_INPUT.width}"
    target = store / f"imagenet-{size}-{key}.npy"
    if not target.exists():
        store.mkdir(parents=True, exist_ok=True)
        pooled = _pooled(files)
        stream_durably(target, lambda stream: np.save(stream, pooled))
    return cosine("frozen ImageNet", np.load(target))


def cosine(name: str, features: Floats) -> Vectors:
    """Return features [N,F] at unit length, whose squared Euclidean distance is 2 - 2 x cosine: both rank alike."""
    lengths = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return Vectors(name, features / lengths, np.ones(features.shape[1]))


@torch.no_grad()
def _pooled(files: Sequence[bytes]) -> Floats:
    backbone = Backbone().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    load_imagenet(backbone)
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (PIXEL_MEAN, PIXEL_STD))
    result = []
    for start in range(0, len(files), BATCH):
        pixels = np.stack([encoder_pixels(file, FROZEN_INPUT) for file in files[start : start + BATCH]])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255  # [B,3,160,208]
        last = backbone(((images - mean) / std).contiguous(memory_format=torch.channels_last))
        result.append(last.mean((2, 3)).numpy())
    return np.concatenate(result)
