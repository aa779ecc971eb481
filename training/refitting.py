"""Fits the last layer of the diagnosis dimensions anew, on images as they are.

Augmentation spreads the training images of a diagnosis about, and they are the gallery: a query between two diagnoses
then finds the commoner one. Fitted to features of undisturbed images, each diagnosis draws together and the nearest
case agrees with the class head. Representation and classifier are learned apart, after Kang 2020 ("Decoupling
representation and classifier for long-tailed recognition"), section 4.1, with the metric term besides.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import losses
from training.backbone import POOLED_CHANNELS
from training.config import Scalar
from training.data import Collection
from training.models import GuidedVAE


@dataclass(frozen=True)
class RefitConfig:
    """How closely the training images are fitted: more draws each diagnosis together and tells less of doubt."""

    epochs: int = 20
    """Passes over the training images; 0 keeps the layer as it was trained."""
    batch_size: int = 256
    rate: float = 1e-3
    """Peak learning rate of AdamW, annealed by a cosine."""
    weight_decay: float = 0.01
    dropout: float = 0.8
    """Of the features."""
    noise: float = 2.0
    """Added to the features, in units of their spread."""
    balance: float = 0.5
    """As in `DataConfig`."""
    contrastive: float = 1.0
    """As in `LossConfig`, beside a cross entropy of weight 1."""
    malignancy: float = 1.0
    """Of the same two terms with malignant and benign for labels, where the collection says which diagnosis is what: a
    match of another diagnosis is then more often one of the same danger."""
    temperature: float = 0.1
    """As in `LossConfig`."""

    def flat(self) -> dict[str, Scalar]:
        """Return the choices by name, as the recipe of a bundle lists them."""
        return {f"refit.{name}": value for name, value in vars(self).items()}


class _Labelling(NamedTuple):
    """One way to tell the training images apart."""

    labels: Tensor
    """[N]"""
    log_prior: Tensor
    """[C], of what is drawn"""
    weight: float


class _Material(NamedTuple):
    features: Tensor
    """[N,1280], standardised"""
    chance: npt.NDArray[np.float64]
    """[N], with which each is drawn"""
    labellings: list[_Labelling]
    """By diagnosis first."""


def refit(network: GuidedVAE, collection: Collection, config: RefitConfig, seed: int = 0) -> GuidedVAE:
    """Return a copy whose diagnosis dimensions and class head were fitted to the training images as they are.

    What the log-variances are read from stays. A collection with several diagnoses to an image keeps all as it was.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if collection.many_labels or config.epochs == 0:
        return network
    torch.manual_seed(seed)
    features = _pooled(network, collection)
    centre, spread = features.mean(0), features.std(0)
    # A feature that hardly varies over the training images would count without bounds in an image where it does, and
    # rounding errors with it.
    spread = spread.clamp(min=0.05 * float(features.abs().mean()))
    layer = nn.Linear(POOLED_CHANNELS, network.config.diagnosis_dimensions)
    material = _material((features - centre) / spread, collection, config)
    head = _fit(layer, network.encoder.radius, material, config, np.random.default_rng(seed))
    with torch.no_grad():
        weight = layer.weight / spread
        network.encoder.diagnosis.weight[: len(weight)] = weight
        network.encoder.diagnosis.bias[: len(weight)] = layer.bias - weight @ centre
    network.head = head.eval().requires_grad_(False)
    return network


def _fit(
    layer: nn.Linear, radius: float, material: _Material, config: RefitConfig, random: np.random.Generator
) -> nn.Linear:
    """Fit `layer`, and a head for each labelling; return that of the diagnoses."""
    heads = [nn.Linear(layer.out_features, len(labelling.log_prior)) for labelling in material.labellings]
    parameters = [parameter for module in (layer, *heads) for parameter in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, config.rate, weight_decay=config.weight_decay)
    steps = max(1, config.epochs * len(material.features) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = random.choice(len(material.features), config.batch_size, p=material.chance)
        given = material.features[rows]
        given = functional.dropout(given + config.noise * torch.randn_like(given), config.dropout)
        means = functional.normalize(layer(given)) * radius
        loss = torch.zeros(())
        for head, (labels, log_prior, weight) in zip(heads, material.labellings, strict=True):
            told = losses.adjusted_cross_entropy(head(means), labels[rows], log_prior)
            near = losses.supervised_contrastive(means, labels[rows], config.temperature)
            loss = loss + weight * (told + config.contrastive * near)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return heads[0]


def _material(features: Tensor, collection: Collection, config: RefitConfig) -> _Material:
    labels = np.array([collection.labels[position] for position in collection.train_positions])
    counts = np.bincount(labels, minlength=len(collection.classes)).astype(float)
    chance = (np.maximum(counts, 1) ** -config.balance)[labels]
    chance /= chance.sum()
    labellings = [_labelling(labels, len(counts), chance, 1.0)]
    malignant = np.isin(collection.classes, collection.source.malignant)
    if config.malignancy and malignant[labels].any() and not malignant[labels].all():
        labellings.append(_labelling(malignant[labels].astype(np.int64), 2, chance, config.malignancy))
    return _Material(features, chance, labellings)


def _labelling(
    labels: npt.NDArray[np.int64], classes: int, chance: npt.NDArray[np.float64], weight: float
) -> _Labelling:
    drawn = np.bincount(labels, chance, minlength=classes)
    return _Labelling(torch.from_numpy(labels), torch.from_numpy(np.log(np.maximum(drawn, 1e-6))).float(), weight)


@torch.no_grad()
def _pooled(network: GuidedVAE, collection: Collection) -> Tensor:
    batches = collection.in_order(collection.train_positions)
    images = ((raw.float() / 255).contiguous(memory_format=torch.channels_last) for raw, *_ in batches)
    return torch.cat([network.encoder.pooled(part) for part in images])
