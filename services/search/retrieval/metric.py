"""Checks the latent and the weights of a request against the bundle, and turns them into a metric."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.search import SearchRequest
from casekin.errors import WrongLatent, WrongWeights
from services.search.vector_store.named_vectors import Metric

SMALLEST = 1e-6
"""Of the largest weight: below it float32 tells no distances apart."""
LARGEST = 1e6
"""Of a weight: beyond it float32 has no room for squares of weighted coordinates."""


def check_version(manifest: BundleManifest, version: str) -> None:
    """Raise `WrongLatent` where latents come from another bundle."""
    if version != manifest.version:
        raise WrongLatent(
            f"the latent is of bundle {version}, this collection of bundle {manifest.version}; encode the image again"
        )


def check_latent(manifest: BundleManifest, latent: Sequence[float], whose: str = "the latent") -> NDArray[np.float64]:
    """`latent` as [D]; raises `WrongLatent` where it has another length."""
    D = len(manifest.dimensions)
    if len(latent) != D:
        raise WrongLatent(f"{whose} has {len(latent)} numbers; bundle {manifest.version} has {D} dimensions")
    return np.array(latent, np.float64)


def metric_for(manifest: BundleManifest, request: SearchRequest) -> Metric:
    """The distance that a request asks for; raises `WrongWeights`."""
    if request.preset == "custom":
        return Metric("weighted", _custom(manifest, request.weights))
    if request.weights is not None:
        raise WrongWeights(f"weights go with preset custom; the preset is {request.preset}: leave one of them out")
    if request.preset == "visual":
        return Metric("visual", np.ones(len(manifest.dimensions)))
    return Metric("clinical", np.array(manifest.clinical_weights, np.float64))


def _custom(manifest: BundleManifest, weights: Sequence[float] | None) -> NDArray[np.float64]:
    D = len(manifest.dimensions)
    if weights is None:
        raise WrongWeights(f"preset custom needs weights: {D} non-negative numbers, one a dimension")
    if len(weights) != D:
        raise WrongWeights(f"{len(weights)} weights were sent; bundle {manifest.version} has {D} dimensions")
    for i, weight in enumerate(weights):
        if not 0 <= weight <= LARGEST:  # false for NaN too
            raise WrongWeights(f"weight {i} is {weight}; it must be a number from 0 to {LARGEST:.0f}")
    if (largest := max(weights)) < SMALLEST:
        raise WrongWeights(
            f"the largest weight is {largest:g}, so every case is equally near; give one dimension {SMALLEST:g} or more"
        )
    return np.array(weights, np.float64)
