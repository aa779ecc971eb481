"""Measure the disentanglement of trained members of the family."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.config.baselines import FamilyConfig, member
from training.vae_baselines.disentanglement import disentanglement_metrics, unsupervised_rank
from training.vae_baselines.fit import PlainVAE, encode_pictures, load_member
from training.vae_baselines.sources import Ints, Source, open_source

SAMPLE = 20_000
"""Pictures measured at most; each level of the finest factor of sprites then has 500."""


def measure_members(checkpoints: Sequence[Path], on: str, cache: Path) -> dict[str, dict[str, float]]:
    """Return figures of each checkpoint by its path: against the factors, where known, and UDR, if there are several.

    UDR measures whether the models agree: they should be of one recipe and differ in their seeds.
    """
    networks = [load_member(path) for path in checkpoints]
    source = open_source(on, _sized(networks), cache)
    figures = [measure(network, source) for network in networks]
    if len(networks) > 1:
        for figure, rank in zip(figures, agreement(networks, source), strict=True):
            figure["udr"] = rank
    return {str(path): figure for path, figure in zip(checkpoints, figures, strict=True)}


def measure(network: PlainVAE, source: Source) -> dict[str, float]:
    """Return all measures against known factors, and how many dimensions carry more than a hundredth of a nat."""
    positions = sampled(source)
    coded = encode_pictures(network, source.pictures, positions)
    figures = {"used_dimensions": float((coded.divergence > 0.01).sum())}
    if source.truth is not None:
        figures |= disentanglement_metrics(coded.means, source.truth(positions))
    return figures


def agreement(networks: Sequence[PlainVAE], source: Source) -> list[float]:
    """Return UDR of each network."""
    coded = [encode_pictures(network, source.pictures, sampled(source)) for network in networks]
    return unsupervised_rank([c.means for c in coded], [c.divergence for c in coded])


def sampled(source: Source) -> Ints:
    """Return the positions of the pictures that are measured, the same ones each time."""
    count = len(source.pictures)
    return np.sort(np.random.default_rng(0).permutation(count)[:SAMPLE])


def _sized(networks: Sequence[PlainVAE]) -> FamilyConfig:
    sizes = {(network.shape.height, network.shape.width) for network in networks}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints are of different sizes {sorted(sizes)}; measure one size at a time")
    height, width = sizes.pop()
    return replace(member("convolutional"), height=height, width=width)
