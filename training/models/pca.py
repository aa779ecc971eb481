"""Principal components of images: the best linear code, start of the appearance branch and baseline."""

from typing import NamedTuple

import torch
from torch import Tensor

from training.models.guided_vae import GuidedVAE


class Components(NamedTuple):
    """Images [P] = centre + sum over components of score x axis."""

    centre: Tensor
    """[P]"""
    axes: Tensor
    """[P,K], orthonormal, by falling spread"""
    spread: Tensor
    """[K], standard deviation of the scores"""


def principal_components(rows: Tensor, count: int) -> Components:
    """Return the first components of rows [N,P], found by randomised iteration (Halko 2011), the same at each call."""
    centre = rows.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, values, axes = torch.svd_lowrank(rows - centre, q=min(count + 16, *rows.shape), niter=3)
    return Components(centre, axes[:, :count], values[:count] / len(rows) ** 0.5)


@torch.no_grad()
def begin_with_components(network: GuidedVAE, images: Tensor) -> None:
    """Set the linear parts of appearance branch and decoder to the components of images [N,3,H,W] in 0..1.

    Each appearance dimension begins as a component with unit variance, as the prior wants it; where there are fewer
    images than dimensions, the last ones stay as they were.
    """
    appearance, decoder = network.encoder.appearance, network.decoder
    rows = torch.cat([appearance.small(part).flatten(1) for part in torch.split(images, 256)])  # [N,P]
    found = principal_components(rows, network.config.appearance_dimensions)
    count, guided = len(found.spread), network.config.diagnosis_dimensions
    inward = (found.axes / found.spread).T  # [K,P]
    appearance.linear.weight[:count] = inward
    appearance.linear.bias[:count] = -inward @ found.centre
    decoder.linear.weight.zero_()
    decoder.linear.weight[:, guided : guided + count] = found.axes * found.spread
    decoder.linear.bias.copy_(found.centre)
