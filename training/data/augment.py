"""Augment a batch of images in a few tensor operations; all changes keep the diagnosis."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.config.guided import AugmentConfig
from training.data.degrade import DEGRADATIONS


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images [B,3,H,W] in 0..1 rotated, flipped, scaled, shifted and recoloured, each at random.

    The first of the batch lose their corners and the last are degraded as well: images come in random order, so that is
    a random part of them.
    """
    changed = recolour(move(images, config, generator), config, generator)
    if some := round(config.corners * len(images)):
        changed[:some] = blacken_corners(changed[:some], generator)
    if some := round(config.degraded * len(images)):
        way = DEGRADATIONS[int(torch.randint(len(DEGRADATIONS), (), generator=generator))]
        changed[-some:] = way(changed[-some:], config, generator)
    return changed


def mix(images: Tensor, targets: Tensor, config: AugmentConfig) -> tuple[Tensor, Tensor]:
    """Return images [B,3,H,W] and their target shares [B,C], the last of the batch blended with one another.

    Mixup, Zhang 2018 ("mixup: Beyond empirical risk minimization"), section 2. An image is always the greater part of
    its blend, so that one keeps its diagnosis.
    """
    some = round(config.mixed * len(images))
    if not some:
        return images, targets
    alone = len(images) - some
    share = torch.distributions.Beta(config.mixing, config.mixing).sample((some,))  # [b]
    order = torch.randperm(some)
    share = torch.maximum(share, 1 - share).to(images)

    def blended(batch: Tensor) -> Tensor:
        part, own = batch[alone:], share.view(-1, *(1 for _ in batch.shape[1:]))
        return torch.cat([batch[:alone], own * part + (1 - own) * part[order]])

    return blended(images), blended(targets)


def move(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images under a random similarity transform; pixels outside of it are reflected."""
    batch, _, height, width = images.shape
    angle = _uniform(batch, math.radians(config.rotation), generator)  # [B]
    scale = torch.exp(_uniform(batch, config.scale, generator))  # [B]
    mirror = torch.where(_uniform(batch, float(config.mirror), generator) < 0, -1.0, 1.0)  # [B]
    aspect = width / height
    # Grid coordinates run over -1..1 on both axes, so a rotation must be squeezed by the aspect to stay one.
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cosine * mirror, -sine / aspect
    theta[:, 1, 0], theta[:, 1, 1] = sine * aspect * mirror, cosine
    theta[:, 0, 2] = _uniform(batch, 2 * config.shift / aspect, generator)
    theta[:, 1, 2] = _uniform(batch, 2 * config.shift, generator)
    grid = functional.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def recolour(images: Tensor, config: AugmentConfig, generator: torch.Generator | None = None) -> Tensor:
    """Return the images with brightness, contrast, saturation and white balance changed, clipped to 0..1."""
    batch = len(images)

    def draw(limit: float, channels: int = 1) -> Tensor:
        return _uniform(batch * channels, limit, generator).view(batch, channels, 1, 1).to(images)

    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + draw(config.saturation))
    level = images.mean((1, 2, 3), keepdim=True)
    images = level + (images - level) * (1 + draw(config.contrast))
    return (images * (1 + draw(config.tint, 3)) + draw(config.brightness)).clamp(0, 1)


def blacken_corners(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return the images black outside of a circle about their middle, whose edge is near that of the image."""
    batch, _, height, width = images.shape
    down = torch.linspace(-height / 2, height / 2, height).view(1, 1, height, 1)
    across = torch.linspace(-width / 2, width / 2, width).view(1, 1, 1, width)
    radius = (0.45 + 0.12 * torch.rand(batch, 1, 1, 1, generator=generator)) * width  # 0.625 reaches the corner at 4:3
    edge = ((radius - (down**2 + across**2).sqrt()) / (0.01 * width)).clamp(0, 1)
    return images * edge.to(images)


def _uniform(count: int, limit: float, generator: torch.Generator | None) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * limit
