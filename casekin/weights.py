"""The weights of a request: those of a preset, or the user's own, checked against the bundle."""

from collections.abc import Sequence

from casekin.contracts.base import WeightsChoice
from casekin.contracts.bundle import BundleManifest
from casekin.errors import WrongWeights

SMALLEST = 1e-6
"""Of the largest weight: below it float32 tells no distances apart."""
LARGEST = 1e6
"""Of a weight: beyond it float32 has no room for squares of weighted coordinates."""


def weights_for(manifest: BundleManifest, preset: WeightsChoice, own: Sequence[float] | None) -> list[float]:
    """The weights [D] of `preset`; `own` with preset custom, and only then. Raises `WrongWeights`."""
    if preset == "custom":
        return _checked(manifest, own)
    if own is not None:
        raise WrongWeights(f"weights go with preset custom; the preset is {preset}: leave one of them out")
    return [1.0] * len(manifest.dimensions) if preset == "visual" else list(manifest.clinical_weights)


def _checked(manifest: BundleManifest, weights: Sequence[float] | None) -> list[float]:
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
    return list(weights)
