"""A residual generator on top of the light decoder: it draws what the ranking dimensions say into the decoder's image.

The decoder's own image is smooth and shows little but the appearance dimensions. The generator reads that image with a
small U-Net whose channels the latent scales (FiLM, Perez 2018). It has no map from the latent to places, so a dimension
cannot put the same thing at the same place of every image: it only changes how the net answers to what the image shows
there.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config.guided import ModelConfig
from training.models.layers import Separable, keep_scale

CONDITION = 128
"""Width of the condition that all scales are read from."""
MIXTURES = 16
"""Noise maps; each image has a mixture of its own of them."""
TURN = 0.35
"""Standard deviation of the radians by which a unit of an appearance dimension turns the share of a noise map: the
mixtures of two lesions hardly correlate, and those of two steps of a rollout nearly agree."""
LEVELS = 4
"""Halvings of the image down to the coarsest grid."""
BLOCKS = (2, 2, 1)
"""At the coarsest grid and at the two that follow; further up the latent has no scales, as they would cost most."""


class Generator(nn.Module):
    """Decoder's image [B,3,2h/3,2w/3] and raw latent [B,D] -> image [B,3,h,w] in 0..1, with nothing random.

    Sizes double by bilinear interpolation, followed by depthwise and pointwise convolutions: transposed convolutions
    and pixel shuffles would leave a grid (Odena 2016). Noise comes from fixed maps, mixed by the appearance dimensions,
    which stay when a ranking dimension moves; so no texture is at the same place in all lesions.
    """

    centre: Tensor
    spread: Tensor
    turns: Tensor
    phases: Tensor
    maps: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        height, width, wide = config.image_height, config.image_width, config.generator_width
        self.guided = config.diagnosis_dimensions
        self.grids = [(height >> level, width >> level) for level in range(LEVELS, -1, -1)]  # from coarse to fine
        widths = [wide, wide // 2, wide // 4, wide // 12]
        self.condition = nn.Sequential(
            nn.Linear(config.dimensions, CONDITION), nn.ReLU(), nn.Linear(CONDITION, CONDITION), nn.ReLU()
        )
        self.read = nn.ModuleList([nn.Conv2d(4, widths[3], 3, padding=1), nn.Conv2d(4, widths[2], 4, 2, 1)])
        self.down = nn.ModuleList([_halved(widths[2], widths[1]), _halved(widths[1], widths[0])])
        self.blocks = nn.ModuleList(
            [nn.ModuleList([Modulated(w) for _ in range(count)]) for w, count in zip(widths[:3], BLOCKS, strict=True)]
        )
        self.up = nn.ModuleList([nn.Conv2d(a, b, 1) for a, b in pairwise(widths)])
        self.fine = Separable(widths[3])
        self.added = nn.Conv2d(widths[3], 3, 1)
        self._begin()
        self._register_maps(config)

    def _begin(self) -> None:
        """Initialise: signals keep their scale up to the last layer, which draws next to nothing yet."""
        self.apply(keep_scale)
        for block in self.modules():
            if isinstance(block, Modulated):
                block.begin()
        nn.init.normal_(self.added.weight, std=0.01)

    def _register_maps(self, config: ModelConfig) -> None:
        draw = torch.Generator().manual_seed(0)
        self.register_buffer("centre", torch.zeros(config.dimensions))
        self.register_buffer("spread", torch.eye(config.dimensions))
        self.register_buffer("turns", TURN * torch.randn(config.appearance_dimensions, MIXTURES, generator=draw))
        self.register_buffer("phases", 2 * math.pi * torch.rand(MIXTURES, generator=draw))
        maps = torch.randn(MIXTURES, math.prod(self.grids[3]), generator=draw)
        self.register_buffer("maps", maps * math.sqrt(2 / MIXTURES))

    def standardise(self, centre: Tensor, spread: Tensor) -> None:
        """Set the map of raw latents to coordinates of mean 0 and variance 1: (latent - centre) @ spread."""
        self.centre.copy_(centre)
        self.spread.copy_(spread)

    def forward(self, base: Tensor, latent: Tensor) -> Tensor:
        """Return the image."""
        standard = (latent - self.centre) @ self.spread  # [B,D]
        condition = self.condition(standard)  # [B,CONDITION]
        shares = torch.cos(standard[:, self.guided :] @ self.turns + self.phases)  # [B,MIXTURES]
        noise = (shares @ self.maps).reshape(-1, 1, *self.grids[3])
        given = torch.cat([2 * _scaled(base, self.grids[3]) - 1, noise], 1)  # [B,4,h/2,w/2]
        fine, x = self.read[0](given), self.read[1](given).relu()
        skips = [fine, x]
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = skips.pop()  # [B,wide,h/16,w/16]
        for level, blocks in enumerate(self.blocks):
            for block in blocks.children():
                x = block(x, condition)
            x = skips.pop() + _scaled(self.up[level](x), self.grids[level + 1])
        x = _scaled(self.fine(x), self.grids[4])  # [B,wide/12,h,w]
        # A rectified plane has a sharp edge wherever it crosses zero: detail of full size without a filter there.
        return torch.as_tensor(self.enlarged(base) + self.added(x.relu())).clamp(0, 1)

    def enlarged(self, base: Tensor) -> Tensor:
        """Return the decoder's image at the generator's size: what it would be without the generator."""
        return _scaled(base, self.grids[4])


class Modulated(nn.Module):
    """A residual block: filter each channel, scale it by the condition, mix the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.scale = nn.Linear(CONDITION, channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def begin(self) -> None:
        """Initialise as a part that changes little, with scales about 1 that the condition already moves."""
        nn.init.normal_(self.mix.weight, std=0.3 * math.sqrt(2 / self.mix.in_channels))
        nn.init.normal_(self.scale.weight, std=0.5 / math.sqrt(CONDITION))
        nn.init.ones_(self.scale.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return [B,channels,H,W] of x likewise and a condition [B,CONDITION]."""
        # The scale comes after the non-linearity, where it costs a processor one pass over the channels, not two.
        filtered = self.depthwise(x).relu() * self.scale(condition)[:, :, None, None]
        return x + torch.as_tensor(self.mix(filtered))


def _scaled(x: Tensor, size: tuple[int, int]) -> Tensor:
    given = (x.shape[-2], x.shape[-1])
    if size == (2 * given[0], 2 * given[1]):  # ONNX Runtime doubles in blocks of channels, where it knows the factor
        return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)


def _halved(given: int, wanted: int) -> nn.Sequential:
    """Return a convolution [B,given,H,W] -> [B,wanted,H/2,W/2], by channel and then across channels."""
    return nn.Sequential(nn.Conv2d(given, given, 4, 2, 1, groups=given), nn.Conv2d(given, wanted, 1), nn.ReLU())
