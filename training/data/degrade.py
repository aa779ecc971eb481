"""Losses of detail that an image meets on its way: resampling, blur or sharpening, JPEG; as cheap tensor operations.

All take images [B,3,H,W] in 0..1, which may be of any number, and return as many, clipped to 0..1.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from training.config.guided import AugmentConfig

# ITU-T T.81, tables K.1 and K.2: steps of quantisation for luminance and chrominance at quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
_COARSE = 99
"""Step of all other frequencies of chrominance."""
# ITU-R BT.601 as in JFIF: rows are Y, Cb, Cr.
_TO_LUMA = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def resample(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images scaled down by one random factor and up again, without aliasing."""
    height, width = images.shape[-2:]
    factor = config.coarsest ** float(torch.rand((), generator=generator))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    small = functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    return functional.interpolate(small, (height, width), mode="bilinear", align_corners=False)


def recopy(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images scaled down by one random factor, compressed at that size and scaled up again.

    What a smaller file of the same picture looks like: its blocks of JPEG are not those of the larger one.
    """
    height, width = images.shape[-2:]
    factor = config.coarsest ** float(torch.rand((), generator=generator))
    size = (max(8, round(height * factor)), max(8, round(width * factor)))
    small = functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    small = compress(small, config, generator)
    return functional.interpolate(small, (height, width), mode="bilinear", align_corners=False)


def refocus(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images blurred or sharpened (unsharp mask), each by its own draw."""
    amount = (torch.rand(len(images), 1, 1, 1, generator=generator) * 2 - 1) * config.sharpness
    return torch.lerp(_blurred(images), images, 1 + amount.to(images)).clamp(0, 1)


def compress(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images as JPEG without chroma subsampling leaves them, each at its own quality up to 95."""
    quality = config.jpeg_quality + (95 - config.jpeg_quality) * torch.rand(len(images), generator=generator)
    return jpeg(images, quality.to(images))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Return the images as JPEG of these qualities [B] leaves them: ITU-T T.81, A.3.3 and A.3.4, 4:4:4.

    Steps of quantisation follow quality as in libjpeg.
    """
    height, width = images.shape[-2:]
    padded = functional.pad(images, (0, -width % 8, 0, -height % 8), mode="replicate")
    mix, cosines, steps = _mixing().to(images), _cosines().to(images), _steps().to(images)
    luma = torch.einsum("yc,bchw->byhw", mix, padded * 255) - steps.new_tensor([128.0, 0, 0])[:, None, None]
    down, across = luma.shape[2] // 8, luma.shape[3] // 8
    blocks = luma.reshape(-1, 3, down, 8, across, 8)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)[:, None, None, None]  # [B,1,1,1]
    step = (steps * scale).round().clamp(1, 255)[:, :, None, :, None]  # [B,3,1,8,1,8]
    waves = torch.einsum("ui,bcyixj,vj->bcyuxv", cosines, blocks, cosines)
    waves = (waves / step).round() * step
    rebuilt = torch.einsum("ui,bcyuxv,vj->bcyixj", cosines, waves, cosines).flatten(4).flatten(2, 3)
    rebuilt = rebuilt + steps.new_tensor([128.0, 0, 0])[:, None, None]
    colours = torch.einsum("cy,byhw->bchw", torch.linalg.inv(mix), rebuilt) / 255
    return colours[..., :height, :width].clamp(0, 1)


def _blurred(images: Tensor) -> Tensor:
    # Sums of shifted views; on a CPU ten times as fast as pooling or a convolution.
    wide = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    across = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]
    return (across[..., :-2, :] + across[..., 1:-1, :] + across[..., 2:, :]) / 9


@lru_cache(maxsize=1)
def _cosines() -> Tensor:
    """[8,8], rows by frequency: the orthonormal discrete cosine transform."""
    angle = math.pi * torch.arange(8)[:, None] * (2 * torch.arange(8)[None] + 1) / 16
    cosines = angle.cos() / 2
    cosines[0] /= math.sqrt(2)
    return cosines


@lru_cache(maxsize=1)
def _steps() -> Tensor:
    """[3,8,8], of Y, Cb, Cr at quality 50."""
    chrominance = torch.full((8, 8), float(_COARSE))
    chrominance[:4, :4] = torch.tensor(_CHROMINANCE)
    return torch.stack([torch.tensor(_LUMINANCE, dtype=torch.float32), chrominance, chrominance])


@lru_cache(maxsize=1)
def _mixing() -> Tensor:
    return torch.tensor(_TO_LUMA)


Degradation = Callable[[Tensor, AugmentConfig, torch.Generator | None], Tensor]
DEGRADATIONS: tuple[Degradation, ...] = (resample, refocus, compress, recopy)
"""One of them is drawn for each batch."""
