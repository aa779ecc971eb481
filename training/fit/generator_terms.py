"""Draw a batch with the generator and say how well the encoder reads it and how much of it is seen.

Shapes: L lesions, M latents drawn (some lesions twice), S ranking dimensions, h and w of a drawn image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.config.generator import GeneratorConfig
from training.config.guided import AugmentConfig
from training.data.augment import move, recolour
from training.data.degrade import refocus, resample
from training.fit.generator_moves import Coordinates, Moved
from training.losses import seen
from training.losses.objective import downscale, perceptual_error
from training.losses.terms import reconstruction_error
from training.models.critic import PatchCritic
from training.models.guided_vae import Encoder, GuidedVAE

AREA = 16
"""Pixels of the squares whose mean the generator has to leave nearly as it is."""


DEGRADE = AugmentConfig(scale=0.1, brightness=0.05, contrast=0.1, saturation=0.1, tint=0.03)
"""How an image is turned, flipped, shifted, recoloured and degraded before it is read: only what survives that counts
as drawn. JPEG has no gradient and is left to the judges."""


@dataclass(frozen=True)
class Drawing:
    """A batch of latents, drawn; each lesion flipped at random, its real image likewise."""

    moved: Moved
    images: Tensor
    """[L,3,h,w], of the lesions that the latents start from."""
    base: Tensor
    """[M,3,h,w], the decoder's own image at the generator's size."""
    drawn: Tensor
    """[M,3,h,w]"""

    def parts(self, values: Tensor) -> tuple[Tensor, ...]:
        """Return values [M,...] of own, swapped, low and high latents."""
        moved = self.moved
        return torch.split(values, [len(part) for part in (moved.own, moved.swapped, moved.low, moved.high)])


def narrow(config: GeneratorConfig) -> torch.autocast:
    """Return the context of networks; what is computed of coordinates stays in float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16-mixed")


def draw(
    network: GuidedVAE, coordinates: Coordinates, moved: Moved, images: Tensor, config: GeneratorConfig
) -> Drawing:
    """Draw latents; `images` [L,3,h,w] are those of the lesions.

    The decoder's images are flipped before the generator sees them: it cannot learn that something belongs right.
    """
    generator = network.generator
    assert generator is not None
    raw = coordinates.to_raw(moved.latents)
    with torch.no_grad():
        base = network.decoder(raw)
    pairs = len(moved.low)
    flips = torch.rand(len(images), 2) < 0.5
    flips_drawn = torch.cat([flips, flips[-pairs:]])
    base = _flipped(base, flips_drawn)
    with narrow(config):
        drawn = generator(base, raw)
    return Drawing(moved, _flipped(images, flips), generator.enlarged(base), drawn.float())


def drawing_terms(
    network: GuidedVAE, coordinates: Coordinates, drawing: Drawing, config: GeneratorConfig, size: tuple[int, int]
) -> dict[str, Tensor]:
    """Return the unweighted terms but the critic's; the encoder takes images of `size`."""
    moved, weight = drawing.moved, config.loss
    wanted = coordinates.readable(moved.latents)  # [M,S]
    read = read_ranking(network.encoder, coordinates, _degraded_parts(drawing, config), size, config)  # [M,S]
    own, _, low, high = drawing.parts(drawing.drawn)
    distance = (moved.high - moved.low)[:, moved.dimension]
    _, _, read_low, read_high = drawing.parts(read)
    # Of the decoder's image: the lesion is where it is before anything is drawn.
    places = seen.lesion_weights(drawing.parts(drawing.base)[2])
    images = drawing.images[: len(own)]
    area = functional.avg_pool2d(drawing.drawn - drawing.base, AREA)
    with narrow(config):
        perceptual = perceptual_error(network, own, images)
    shift = _appearance(network.encoder, drawing.drawn) - _appearance(network.encoder, drawing.base)
    return {
        "reading": seen.reading_error(read, wanted, coordinates.shares),
        "leak": seen.leak(read_high - read_low, moved.dimension, distance, coordinates.shares),
        "invisible": seen.invisible(high - low, places, weight.levels / 255),
        "stamp": functional.relu(seen.stamp(high - low, places) - weight.stamp_beyond),
        "reconstruction": reconstruction_error(own, images),
        "perceptual": perceptual,
        "appearance": shift.square().mean(),
        "low": functional.relu(area.abs() - weight.low_levels / 255).mean(),
    }


def weighted(terms: dict[str, Tensor], config: GeneratorConfig) -> Tensor:
    """Return the sum of the terms, each times its weight."""
    return torch.stack([getattr(config.loss, name) * value for name, value in terms.items()]).sum()


def critic_logits(critic: PatchCritic, images: Tensor, ranking: Tensor, config: GeneratorConfig) -> Tensor:
    """Return the critic's logits on images [B,3,h,w] with ranking coordinates [B,S]."""
    with narrow(config):
        logits: Tensor = critic(images.contiguous(memory_format=torch.channels_last), ranking)
    return logits.float()


def read_ranking(
    encoder: Encoder, coordinates: Coordinates, images: Tensor, size: tuple[int, int], config: GeneratorConfig
) -> Tensor:
    """Return the ranking coordinates [B,S] that the encoder reads of images [B,3,h,w], from one view of each."""
    scaled = images if images.shape[-2:] == size else functional.interpolate(images, size, mode="bilinear")
    given = ((scaled - encoder.pixel_mean) / encoder.pixel_std).contiguous(memory_format=torch.channels_last)
    with narrow(config):
        last = encoder.backbone(given)
    return coordinates.of_ranking(encoder.read(last.float().mean((2, 3))).mean)


def degraded(images: Tensor, config: GeneratorConfig, draw: torch.Generator) -> Tensor:
    """Return images [B,3,h,w] turned, flipped, shifted, recoloured, with noise, and resampled or refocused."""
    changed = recolour(move(images, DEGRADE, draw), DEGRADE, draw)
    way = (resample, refocus)[int(torch.randint(2, (), generator=draw))]
    changed = way(changed, DEGRADE, draw)
    spread = config.noise * torch.rand(len(images), 1, 1, 1, generator=draw)
    return (changed + spread * torch.randn(images.shape, generator=draw)).clamp(0, 1)


def _degraded_parts(drawing: Drawing, config: GeneratorConfig) -> Tensor:
    """Return all drawn images degraded; both ends of a move alike, as what is read of them is compared."""
    seeds = torch.randint(2**31, (2,)).tolist()
    own, swapped, low, high = drawing.parts(drawing.drawn)
    groups = [(torch.cat([own, swapped]), seeds[0]), (low, seeds[1]), (high, seeds[1])]
    return torch.cat([degraded(some, config, torch.Generator().manual_seed(seed)) for some, seed in groups])


def _appearance(encoder: Encoder, images: Tensor) -> Tensor:
    return torch.as_tensor(encoder.appearance(images).mean)


def _flipped(images: Tensor, chosen: Tensor) -> Tensor:
    for axis, these in zip((2, 3), chosen.T, strict=True):
        images = torch.where(these[:, None, None, None], images.flip(axis), images)
    return images


def targets(images: Tensor, network: GuidedVAE) -> Tensor:
    """Return images [B,3,H,W] at the generator's size."""
    return downscale(images, network.config.image_height, network.config.image_width)
