"""What is known about the default name of a dimension, in words."""

from collections.abc import Sequence

from casekin.contracts.bundle import Dimension, NameEvidence


def evidence_by_dimension(dimensions: Sequence[Dimension], names: Sequence[str]) -> list[str]:
    """The evidence for each of `names`; empty where there is none, or a user chose the name."""
    return [
        evidence_text(dimension.evidence) if dimension.evidence and dimension.name == name else ""
        for dimension, name in zip(dimensions, names, strict=True)
    ]


def evidence_text(evidence: NameEvidence) -> str:
    """Figure with interval, and the images behind it."""
    figure = "area under the ROC curve" if evidence.figure == "auc" else "rank correlation"
    having = "" if evidence.positive is None else f", {evidence.positive} of which have it"
    return (
        f"Evidence for the name: {figure} {evidence.value:.2f} (95 % interval {evidence.low:.2f} to "
        f"{evidence.high:.2f}) on {evidence.images} images of {evidence.lesions} lesions{having}, "
        f"from {evidence.data}, which the model was not trained on."
    )
