"""What only lesions that a network never saw can teach: what its distances, probabilities and oddities mean.

A network that ships has seen all lesions. It takes these from the network that the same recipe trained on fewer.
"""

from dataclasses import dataclass

from casekin.contracts.base import Preset
from casekin.contracts.bundle import BundleManifest, CalibrationPoint

SHARE, TEMPERATURE = "held.appearance_share", "held.temperature"


@dataclass(frozen=True)
class Held:
    """Learned on, or measured with, queries of lesions that were kept apart."""

    appearance_share: float
    """Of the clinical weights, see `clinical_weights`."""
    temperature: float
    """Of the class head."""
    similarity: dict[Preset, list[CalibrationPoint]]
    out_of_distribution: dict[str, float]
    metrics: dict[str, float]
    protocol: str


def held_by(proof: BundleManifest) -> Held:
    """Return what the bundle of a recipe's proof run holds; raises ValueError where it is no such bundle."""
    recipe = proof.provenance.recipe
    share, temperature = recipe.get(SHARE), recipe.get(TEMPERATURE)
    if not isinstance(share, float) or not isinstance(temperature, float):
        raise ValueError(f"bundle {proof.version} has no {SHARE} and {TEMPERATURE} in its recipe; export it anew")
    return Held(
        appearance_share=share,
        temperature=temperature,
        similarity=proof.similarity,
        out_of_distribution=proof.out_of_distribution,
        metrics=proof.metrics,
        protocol=proof.provenance.protocol,
    )
