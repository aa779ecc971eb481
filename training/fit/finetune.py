"""Fine-tune appearance dimensions and decoder while the diagnosis dimensions stay fixed.

Reconstruction then cannot cost ranking, and an epoch takes a fifth, as no image passes the backbone twice.
"""

import copy
import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.config.guided import LossConfig, Scalar
from training.data.collection import Collection
from training.losses.objective import downscale, unsupervised_terms, weighted
from training.models.guided_vae import GuidedVAE, Posterior

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PolishConfig:
    """Length and learning rates of the fine-tuning."""

    epochs: int = 16
    """Passes over the training images, each flipped at random."""
    rate: float = 2e-3
    """Peak learning rate of AdamW, annealed by a cosine."""
    linear_rate: float = 1e-4
    """Peak learning rate of the linear parts, which start as principal components and need small steps."""
    batch_size: int = 64
    loss: LossConfig = field(default_factory=LossConfig)
    """Only its unsupervised terms are used."""

    def flat(self) -> dict[str, Scalar]:
        """Return the settings by name, as the recipe of a bundle lists them."""
        own = {name: value for name, value in vars(self).items() if name != "loss"}
        terms = ("reconstruction", "perceptual", "beta", "total_correlation")
        chosen = own | {name: getattr(self.loss, name) for name in terms}
        return {f"polish.{name}": value for name, value in chosen.items()}


def polish(network: GuidedVAE, collection: Collection, config: PolishConfig, seed: int = 0) -> GuidedVAE:
    """Return a copy with its appearance branch and decoder trained on the training folds; the rest is unchanged."""
    torch.manual_seed(seed)
    network = copy.deepcopy(network).eval().requires_grad_(False)
    guided = _guided(network, collection)
    trained = nn.ModuleList([network.decoder, network.encoder.appearance]).train().requires_grad_(True)
    count = len(collection.train_positions)
    batches = max(1, count // config.batch_size)
    optimiser, schedule = _optimiser(network, config, batches)
    for epoch in range(config.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(count), config.batch_size)[:batches]:
            loss = _loss(network, collection, guided, rows, config.loss)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        log.info("polish epoch %d loss %.4f", epoch, total / batches)
    trained.eval().requires_grad_(False)
    return network


def _optimiser(
    network: GuidedVAE, config: PolishConfig, batches: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    linear = network.linear_parameters()
    known = {id(parameter) for parameter in linear}
    others = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    rates = [config.linear_rate, config.rate]
    optimiser = torch.optim.AdamW([{"params": linear}, {"params": others}], lr=config.rate, weight_decay=0.01)
    steps = max(2, config.epochs * batches)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=0.15)


def _loss(network: GuidedVAE, collection: Collection, guided: Posterior, rows: Tensor, weight: LossConfig) -> Tensor:
    # A flipped image keeps its diagnosis dimensions: they were trained to be invariant to rotation.
    images = _flipped(_images(collection, [collection.train_positions[row] for row in rows.tolist()]))
    free = network.encoder.appearance(images)
    known = Posterior(*(values[rows] for values in guided))
    posterior = Posterior(*(torch.cat(pair, 1) for pair in zip(known, free, strict=True)))
    target = downscale(images, network.config.output_height, network.config.output_width)
    terms = unsupervised_terms(network, posterior, target, weight, len(collection.train_positions))
    return weighted(terms, weight, network.config.dimensions)


def _flipped(images: Tensor) -> Tensor:
    for axis in (2, 3):
        chosen = torch.rand(len(images), 1, 1, 1) < 0.5
        images = torch.where(chosen, images.flip(axis), images)
    return images


def _images(collection: Collection, positions: list[int]) -> Tensor:
    return torch.from_numpy(collection.pixels[positions]).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def _guided(network: GuidedVAE, collection: Collection) -> Posterior:
    parts = [network.encoder.ranked(images) for images in collection.images(collection.train_positions)]
    return Posterior(*(torch.cat(part) for part in zip(*parts, strict=True)))
