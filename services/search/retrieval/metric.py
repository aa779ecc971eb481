"""Checks the latent and the weights of a request against the bundle, and turns them into a metric."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.search import SearchRequest
from casekin.errors import WrongLatent
from casekin.weights import weights_for
from services.search.vector_store.named_vectors import Metric


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
    weights = np.array(weights_for(manifest, request.preset, request.weights), np.float64)
    return Metric("weighted" if request.preset == "custom" else request.preset, weights)
