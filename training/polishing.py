"""Trains the appearance dimensions and the decoder on for themselves, beside a backbone that no longer changes.

Reconstruction then costs ranking nothing, and an epoch costs a tenth, as no image passes the backbone twice.
"""

import copy
import logging
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from training import encoding
from training.data import Collection
from training.losses import gaussian_divergence, reconstruction_error
from training.models import APPEARANCE_FEATURES, Decoder, GuidedVAE, Posterior, sample

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PolishConfig:
    """How long, and how boldly."""

    epochs: int = 12
    """Passes over the training images, each time as it is or mirrored."""
    rate: float = 2e-3
    """Peak learning rate of AdamW, annealed by a cosine."""
    batch_size: int = 64
    beta: float = 0.0005
    """Normalised beta of Higgins 2017, as in `LossConfig`."""


@dataclass(frozen=True)
class _View:
    """What the backbone makes of the training images, as they are or mirrored."""

    mirrored: bool
    guided: Posterior
    """[N,diagnosis dimensions]"""
    taps: Tensor
    """[N,112,H/16,W/16], float16"""


def polish(
    network: GuidedVAE, collection: Collection, config: PolishConfig, dimensions: int | None = None, seed: int = 0
) -> GuidedVAE:
    """Return a copy with its appearance branch and decoder trained on the training folds; all else stays.

    `dimensions` starts the appearance branch anew with so many.
    """
    torch.manual_seed(seed)
    network = copy.deepcopy(network).eval()
    if dimensions is not None:
        widen(network, dimensions)
    views = [_view(network, collection, mirrored) for mirrored in (False, True)]
    trained = nn.ModuleList([network.decoder, network.encoder.appearance]).train().requires_grad_(True)
    optimiser = torch.optim.AdamW(trained.parameters(), lr=config.rate, weight_decay=0.01)
    count = len(collection.train_positions)
    batches = max(1, count // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.rate, total_steps=max(1, config.epochs * batches), pct_start=0.15
    )
    for epoch in range(config.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(count), config.batch_size)[:batches]:
            loss = _loss(network, collection, views[epoch % 2], rows, config)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        log.info("polish epoch %d loss %.4f", epoch, total / batches)
    trained.eval().requires_grad_(False)
    return network


def widen(network: GuidedVAE, dimensions: int) -> None:
    """Give the network so many appearance dimensions, with a new decoder and a new end of the branch."""
    network.config = replace(network.config, appearance_dimensions=dimensions)
    network.encoder.appearance[-1] = nn.Linear(APPEARANCE_FEATURES, 2 * dimensions)
    network.decoder = Decoder(network.config)


def _loss(network: GuidedVAE, collection: Collection, view: _View, rows: Tensor, config: PolishConfig) -> Tensor:
    target = encoding.targets(network, collection, [collection.train_positions[row] for row in rows.tolist()])
    free = network.encoder.seen(view.taps[rows].float())
    guided = Posterior(*(values[rows] for values in view.guided))
    decoded = network.decoder(torch.cat([sample(guided), sample(free)], 1))
    divergence = gaussian_divergence(*free).mean()
    return reconstruction_error(decoded, target.flip(3) if view.mirrored else target) + config.beta * divergence


@torch.no_grad()
def _view(network: GuidedVAE, collection: Collection, mirrored: bool) -> _View:
    encoder, guided, taps = network.encoder, [], []
    for raw, _, _ in collection.in_order(collection.train_positions):
        images = (raw.flip(3) if mirrored else raw).float() / 255
        images = images.contiguous(memory_format=torch.channels_last)
        tap, last = encoder.backbone((images - encoder.pixel_mean) / encoder.pixel_std)
        guided.append(encoder.ranked(last.mean((2, 3))))
        taps.append(tap.half().contiguous())
    means, log_variances = (torch.cat(part) for part in zip(*guided, strict=True))
    return _View(mirrored, Posterior(means, log_variances), torch.cat(taps))
