"""SSIM and squared error of decoded images, beside principal components of the same number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from casekin.contracts.bundle import OutputSpec
from training.data.image_cache import Pixels
from training.evaluation.bootstrap import Interval, mean_interval
from training.evaluation.retrieval import Floats, Ints
from training.evaluation.split import Split
from training.losses.objective import downscale
from training.losses.terms import structural_similarity
from training.models.pca import principal_components

BATCH = 64


@dataclass(frozen=True)
class Quality:
    """Per image."""

    similarity: Floats
    """[N], SSIM"""
    squared_error: Floats
    """[N], mean over pixels and channels in 0..1"""


@dataclass(frozen=True)
class Reconstruction:
    """Figures `ssim`, `mse` of the model and `ssim_pca`, `mse_pca` of as many principal components."""

    components: int
    overall: dict[str, Interval]
    by_diagnosis: dict[str, dict[str, Interval]]


def reconstruction(
    decode: Callable[[Ints], Tensor], dimensions: int, output: OutputSpec, split: Split, pixels: Pixels
) -> Reconstruction:
    """Return the quality of the decoded queries; as many components as `dimensions` are fitted to the gallery.

    `decode` returns images [B,3,h,w] in 0..1 of rows [B] of the cases; pixels are uint8 [N,H,W,3], of all cases.
    """
    queries = split.queries
    ours = quality(lambda rows: decode(queries[rows]), pixels, queries, output)
    theirs = by_components(pixels, split.gallery, queries, output, dimensions)
    values = {
        "ssim": ours.similarity,
        "ssim_pca": theirs.similarity,
        "mse": ours.squared_error,
        "mse_pca": theirs.squared_error,
    }
    lesions = np.array([split.cases[row].lesion for row in queries])
    truth = split.labels[queries]

    def intervals(chosen: np.ndarray) -> dict[str, Interval]:
        return {name: mean_interval(value[chosen], lesions[chosen]) for name, value in values.items()}

    per_class = {code: intervals(truth == c) for c, code in enumerate(split.vocabulary.codes) if (truth == c).any()}
    return Reconstruction(dimensions, intervals(np.ones(len(truth), bool)), per_class)


def quality(rebuild: Callable[[Ints], Tensor], pixels: Pixels, chosen: Ints, output: OutputSpec) -> Quality:
    """Return the quality of `rebuild(rows)` [B,3,h,w], with rows counted among the `chosen` positions."""
    similarity, error = [], []
    for start in range(0, len(chosen), BATCH):
        rows = np.arange(start, min(start + BATCH, len(chosen)))
        target = targets(pixels[chosen[rows]], output)
        rebuilt = rebuild(rows)
        similarity.append(structural_similarity(rebuilt, target))
        error.append((rebuilt - target).square().mean((1, 2, 3)))
    return Quality(torch.cat(similarity).numpy(), torch.cat(error).numpy())


def targets(pixels: Pixels, output: OutputSpec) -> Tensor:
    """Return what a decoder should make of images uint8 [N,H,W,3]: float [N,3,h,w] in 0..1."""
    raw = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return downscale(raw.float() / 255, output.height, output.width)


@torch.no_grad()
def by_components(pixels: Pixels, train: Ints, test: Ints, output: OutputSpec, components: int) -> Quality:
    """Return the quality of the test images rebuilt from principal components of the training images."""
    # All in one block: a pass over it is what each iteration of the search costs.
    fitted = torch.empty(len(train), 3 * output.height * output.width)
    for rows in _batches(len(train)):
        fitted[rows] = targets(pixels[train[rows]], output).flatten(1)
    centre, axes, _ = principal_components(fitted, components)

    def rebuild(rows: Ints) -> Tensor:
        flat = targets(pixels[test[rows]], output).flatten(1) - centre
        return (flat @ axes @ axes.T + centre).clamp(0, 1).view(-1, 3, output.height, output.width)

    return quality(rebuild, pixels, test, output)


def _batches(count: int) -> Iterator[Ints]:
    for start in range(0, count, BATCH):
        yield np.arange(start, min(start + BATCH, count))
