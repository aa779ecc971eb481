"""Calibration learned on held-out lesions, read back from the bundle of a proof.

A network that ships was trained on all lesions. It takes its calibration from the network that the same recipe trained
on fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from casekin.bundle import read_manifest
from casekin.contracts.base import Preset
from casekin.contracts.bundle import BundleManifest, CalibrationPoint, NameEvidence, NeighbourCalibration
from casekin.errors import BadInput
from training.evaluation.evaluate import Measured
from training.latent_space.clinical_metric import Metric

MEASURED = "measured.json"
LEARNED = POWER, SHARE, TEMPERATURE = "held.power", "held.appearance_share", "held.temperature"
"""Entries of a recipe that were learned on held-out lesions."""
RANKING = "latent.ranking_dimensions"
"""Entry of a recipe: how many dimensions rank; they come first."""
UNNAMED = "Dimension "
"""Before the number of a dimension that follows nothing with a name."""


@dataclass(frozen=True)
class HeldOutCalibration:
    """Learned on, or measured with, queries of held-out lesions."""

    metric: Metric
    """Parameters of the clinical weights."""
    temperature: float
    """Of the class head."""
    similarity: dict[Preset, list[CalibrationPoint]]
    similarity_by_diagnosis: dict[Preset, dict[str, list[CalibrationPoint]]]
    neighbours: NeighbourCalibration | None
    """None where the gallery has too few lesions for a vote."""
    out_of_distribution: dict[str, float]
    metrics: dict[str, float]
    measured: Measured
    """The figures with intervals, by diagnosis and by group, as the card shows them."""
    protocol: str
    evidence: dict[str, NameEvidence]
    """For the name of each dimension that has any."""
    chosen: tuple[str, ...]
    """Names of the ranking dimensions that follow something."""


def measured_json(measured: Measured) -> bytes:
    """Return the figures of the model card as `measured.json` beside it holds them."""
    return TypeAdapter(Measured).dump_json(measured, indent=1) + b"\n"


def ranking_dimensions(manifest: BundleManifest) -> int:
    """Return how many dimensions of a bundle rank: all where its recipe does not say."""
    recipe = manifest.provenance.recipe
    # Bundles made before attributes had dimensions name only the shape of the network, or of its condensed form.
    known = (recipe.get(name) for name in (RANKING, "condense.diagnosis_dimensions", "model.diagnosis_dimensions"))
    return next((int(value) for value in known if value), len(manifest.dimensions))


def ranking_names(names: Sequence[str], ranking: int) -> tuple[str, ...]:
    """Return the names, by dimension, of the first `ranking` dimensions that have more than a number."""
    return tuple(name for name in names[:ranking] if not name.startswith(UNNAMED))


def read_proof(bundle: Path) -> HeldOutCalibration:
    """Return the calibration in the bundle of a recipe's proof run; raises `BadInput` for any other bundle."""
    proof = read_manifest(bundle)
    recipe = proof.provenance.recipe
    learned = [value for name in LEARNED if isinstance(value := recipe.get(name), float)]
    if len(learned) < len(LEARNED) or not (bundle / MEASURED).is_file():
        raise BadInput(f"bundle {proof.version} in {bundle} proves no recipe; export one of the split `prove`")
    power, share, temperature = learned
    return HeldOutCalibration(
        metric=Metric(power, share),
        temperature=temperature,
        similarity=proof.similarity,
        similarity_by_diagnosis=proof.similarity_by_diagnosis,
        neighbours=proof.neighbours,
        out_of_distribution=proof.out_of_distribution,
        metrics=proof.metrics,
        measured=TypeAdapter(Measured).validate_json((bundle / MEASURED).read_bytes()),
        protocol=proof.provenance.protocol,
        evidence={d.name: d.evidence for d in proof.dimensions if d.evidence is not None},
        chosen=ranking_names([d.name for d in proof.dimensions], ranking_dimensions(proof)),
    )
