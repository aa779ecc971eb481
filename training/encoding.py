"""Latents of a whole collection by a trained network, and what it makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.components import principal_components
from training.data import Collection
from training.losses import structural_similarity
from training.models import GuidedVAE
from training.objective import shrink
from training.retrieval import Labelled

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoded:
    """A collection as the network sees it; arrays are in the order of `positions`."""

    positions: list[int]
    means: Floats
    """[N,D], of the posterior, raw"""
    log_variances: Floats
    """[N,D]"""
    labels: npt.NDArray[np.int64]
    lesions: list[str]
    folds: npt.NDArray[np.int64]

    def select(self, folds: Sequence[int], latents: Floats) -> Labelled:
        """Return the cases of these folds with their rows of `latents` [N,D]."""
        rows = np.flatnonzero(np.isin(self.folds, folds))
        return Labelled(latents[rows], self.labels[rows], [self.lesions[row] for row in rows])


@torch.no_grad()
def encode(network: GuidedVAE, collection: Collection, positions: Sequence[int] | None = None) -> Encoded:
    """Return the posteriors of the images at these positions, or of all."""
    chosen = list(range(len(collection.cases)) if positions is None else positions)
    network.eval()
    means, log_variances = [], []
    for raw, _, _ in collection.in_order(chosen):
        images = (raw.float() / 255).contiguous(memory_format=torch.channels_last)
        posterior = network.encoder(images)
        means.append(posterior.mean)
        log_variances.append(posterior.log_variance)
    cases = [collection.cases[position] for position in chosen]
    return Encoded(
        positions=chosen,
        means=torch.cat(means).numpy(),
        log_variances=torch.cat(log_variances).numpy(),
        labels=np.array([collection.labels[position] for position in chosen]),
        lesions=[case.lesion for case in cases],
        folds=np.array([case.fold for case in cases]),
    )


@dataclass(frozen=True)
class Reconstruction:
    """How near decoded images come to the images themselves, per image."""

    similarity: Floats
    """[N], SSIM"""
    squared_error: Floats
    """[N], mean over pixels in 0..1"""


@torch.no_grad()
def reconstruct(
    network: GuidedVAE, collection: Collection, encoded: Encoded, rows: npt.NDArray[np.int64]
) -> Reconstruction:
    """Return the quality of the decoded posterior means of these rows."""
    similarity, error = [], []
    for start in range(0, len(rows), 64):
        some = rows[start : start + 64]
        target = targets(network, collection, [encoded.positions[row] for row in some])
        decoded = network.decoder(torch.from_numpy(encoded.means[some]))
        similarity.append(structural_similarity(decoded, target))
        error.append((decoded - target).square().mean((1, 2, 3)))
    return Reconstruction(torch.cat(similarity).numpy(), torch.cat(error).numpy())


def targets(network: GuidedVAE, collection: Collection, positions: Sequence[int]) -> torch.Tensor:
    """Return the images that the decoder should make [B,3,h,w], in 0..1."""
    raw = torch.from_numpy(collection.pixels[list(positions)]).permute(0, 3, 1, 2)
    return shrink(raw.float() / 255, network.config.output_height, network.config.output_width)


def principal_component_similarity(
    network: GuidedVAE, collection: Collection, train: Sequence[int], test: Sequence[int], components: int
) -> Floats:
    """Return SSIM [N] of the test images rebuilt from as many principal components: the baseline to beat."""
    shape = (3, network.config.output_height, network.config.output_width)
    fitted = torch.cat([targets(network, collection, train[i : i + 256]).flatten(1) for i in range(0, len(train), 256)])
    centre, axes, _ = principal_components(fitted, components)
    result = []
    for start in range(0, len(test), 256):
        target = targets(network, collection, test[start : start + 256])
        flat = target.flatten(1) - centre
        rebuilt = (flat @ axes @ axes.T + centre).clamp(0, 1).view(-1, *shape)
        result.append(structural_similarity(rebuilt, target))
    return torch.cat(result).numpy()
