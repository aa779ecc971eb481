"""Layers of the models, and their initialisation."""

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class AveragedTo(nn.Module):
    """Adaptive average pooling as two matrix products: ONNX has none where sizes do not divide."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,channels,height,width]."""
        down, across = (_averages(int(a), b) for a, b in zip(x.shape[-2:], (self.height, self.width), strict=True))
        return down.to(x) @ x @ across.to(x).T


class Separable(nn.Module):
    """A residual block that filters each channel and then mixes them: a ninth of a dense convolution's cost."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,channels,H,W]."""
        mixed: Tensor = self.mix(functional.relu(self.depthwise(x)))
        return x + mixed


class SpatialBroadcast(nn.Module):
    """Spatial broadcast of a latent over a grid of coordinates (Watters 2019, algorithm 1), and one 1x1 convolution.

    The convolution of latent and coordinates is the sum of one of each: the latent's is computed once, not at every
    position. Squares of the coordinates are added: with coordinates alone a rotation of the plane costs nothing, and
    two positions are then encoded across two dimensions as often as along them.
    """

    places: Tensor

    def __init__(self, dimensions: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        sides = (torch.linspace(-1, 1, height), torch.linspace(-1, 1, width))
        coordinates = torch.stack(torch.meshgrid(*sides, indexing="ij"))  # [2,H,W]
        self.register_buffer("places", torch.cat([coordinates, coordinates**2])[None])  # [1,4,H,W]
        self.latent_map = nn.Linear(dimensions, channels)
        self.position_map = nn.Conv2d(4, channels, 1)

    def forward(self, latents: Tensor) -> Tensor:
        """Return [B,channels,height,width] of latents [B,D]."""
        return torch.as_tensor(self.latent_map(latents)[:, :, None, None] + self.position_map(self.places))


def halved(given: int, wanted: int) -> tuple[nn.Module, nn.Module]:
    """Return a convolution [B,given,H,W] -> [B,wanted,H/2,W/2] and what follows it."""
    return nn.Conv2d(given, wanted, 4, 2, 1), nn.ReLU()


def doubled(given: int, wanted: int) -> tuple[nn.Module, nn.Module]:
    """Return a convolution [B,given,H,W] -> [B,wanted,2H,2W] and what follows it."""
    return nn.ConvTranspose2d(given, wanted, 4, 2, 1), nn.ReLU()


def dense(*sizes: int) -> list[nn.Module]:
    """Return a layer from each size to the next, each followed by its non-linearity."""
    return [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]


def keep_scale(layer: nn.Module) -> None:
    """Initialise a layer so that its outputs have the variance of its inputs (He 2015, eq. 10).

    Torch's default shrinks a signal by 1/sqrt(6) a layer, and a VAE of twice seven layers trains slowly.
    """
    if isinstance(layer, nn.ConvTranspose2d):
        inputs = layer.in_channels * 4  # of 4 x 4 taps at stride 2, 2 x 2 meet in each output
    elif isinstance(layer, nn.Linear | nn.Conv2d):
        inputs = layer.weight[0].numel()
    else:
        return
    nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@lru_cache(maxsize=16)
def _averages(given: int, wanted: int) -> Tensor:
    rows = torch.zeros(wanted, given)
    for index in range(wanted):
        start, stop = index * given // wanted, -(-(index + 1) * given // wanted)
        rows[index, start:stop] = 1 / (stop - start)
    return rows
