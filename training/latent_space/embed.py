"""Encode a collection with a trained network, and decode it again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from casekin.contracts.bundle import OutputSpec
from training.data.collection import Collection
from training.evaluation import reconstruction
from training.evaluation.reconstruction import Quality, quality
from training.evaluation.retrieval import Labelled
from training.models.guided_vae import GuidedVAE

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoded:
    """Posteriors of a collection; arrays are in the order of `positions`."""

    positions: list[int]
    means: Floats
    """[N,D], of the posteriors, on the network's own axes"""
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
    for images in collection.images(chosen):
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


@torch.no_grad()
def means_of(network: GuidedVAE, batches: Iterable[torch.Tensor]) -> Floats:
    """Return the means [N,D] of the posteriors of images [B,3,H,W] in 0..1."""
    network.eval()
    return torch.cat([network.encoder(images).mean for images in batches]).numpy()


def reconstruct(network: GuidedVAE, collection: Collection, encoded: Encoded, rows: npt.NDArray[np.int64]) -> Quality:
    """Return the quality of the decoded posterior means of these rows."""

    @torch.no_grad()
    def rebuild(some: npt.NDArray[np.integer]) -> torch.Tensor:
        decoded: torch.Tensor = network.decode(torch.from_numpy(encoded.means[rows[some]]))
        return decoded

    positions = np.asarray(encoded.positions)[rows]
    return quality(rebuild, collection.pixels, positions, output_of(network))


def targets(network: GuidedVAE, collection: Collection, positions: Sequence[int]) -> torch.Tensor:
    """Return the images [B,3,h,w] in 0..1 that decoding should give."""
    return reconstruction.targets(collection.pixels[list(positions)], output_of(network))


def output_of(network: GuidedVAE) -> OutputSpec:
    """Return the size of decoded images."""
    return OutputSpec(height=network.config.image_height, width=network.config.image_width)
