"""What only lesions that a network never saw can teach: what its distances, probabilities and oddities mean.

A network that ships has seen all lesions. It takes these from the network that the same recipe trained on fewer.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from casekin.bundle import read_manifest
from casekin.contracts.base import Preset
from casekin.contracts.bundle import CalibrationPoint, NeighbourCalibration
from casekin.errors import BadInput
from training.evaluation.evaluate import Measured
from training.latent_space.clinical_metric import Metric

MEASURED = "measured.json"
LEARNED = POWER, SHARE, TEMPERATURE = "held.power", "held.appearance_share", "held.temperature"
"""Of a recipe: numbers that only held lesions can teach."""


@dataclass(frozen=True)
class Held:
    """Learned on, or measured with, queries of lesions that were kept apart."""

    metric: Metric
    """Of the clinical weights."""
    temperature: float
    """Of the class head."""
    similarity: dict[Preset, list[CalibrationPoint]]
    neighbours: NeighbourCalibration | None
    """None where the gallery has too few lesions for a vote."""
    out_of_distribution: dict[str, float]
    metrics: dict[str, float]
    measured: Measured
    """The same with intervals, by diagnosis and by group, as the card shows them."""
    protocol: str


def write_measured(measured: Measured, bundle: Path) -> None:
    """Write what the card shows as `measured.json` beside it."""
    (bundle / MEASURED).write_bytes(TypeAdapter(Measured).dump_json(measured, indent=1) + b"\n")


def held_by(bundle: Path) -> Held:
    """Return what the bundle of a recipe's proof run holds; raises `BadInput` where it is no such bundle."""
    proof = read_manifest(bundle)
    recipe = proof.provenance.recipe
    learned = [value for name in LEARNED if isinstance(value := recipe.get(name), float)]
    if len(learned) < len(LEARNED) or not (bundle / MEASURED).is_file():
        raise BadInput(f"bundle {proof.version} in {bundle} proves no recipe; export one of the split `prove`")
    power, share, temperature = learned
    return Held(
        metric=Metric(power, share),
        temperature=temperature,
        similarity=proof.similarity,
        neighbours=proof.neighbours,
        out_of_distribution=proof.out_of_distribution,
        metrics=proof.metrics,
        measured=TypeAdapter(Measured).validate_json((bundle / MEASURED).read_bytes()),
        protocol=proof.provenance.protocol,
    )
