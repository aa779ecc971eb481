"""What is told of each match: its similarity, and which dimensions hold it apart from the query."""

from collections.abc import Sequence

import numpy as np

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.search import Match
from services.search.ranking import Ranked
from services.search.spaces import Metric


class Similarity:
    """Reads the bundle's calibration: of validation matches this close, the share that had the query's diagnosis."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._curves = {
            space: (np.array([p.distance for p in points]), np.array([p.share for p in points]))
            for space, points in manifest.similarity.items()
        }

    def of(self, metric: Metric, distances: list[float]) -> list[float]:
        """Linear between the points of the curve, level beyond its ends.

        Weights of the user's own have no curve: their distances are brought to the scale of `visual` first, by
        sqrt(D / sum of weights).
        """
        scale = 1.0
        if metric.space == "weighted":
            scale = float(np.sqrt(len(metric.weights) / metric.weights.sum()))
        at, shares = self._curves["clinical" if metric.space == "clinical" else "visual"]
        similarities: list[float] = np.interp(np.array(distances) * scale, at, shares).tolist()
        return similarities


def to_matches(ranked: Sequence[Ranked], metric: Metric, similarity: Similarity) -> list[Match]:
    """The matches of ranked cases, in their order."""
    similarities = similarity.of(metric, [one.distance for one in ranked])
    return [
        Match(case=one.stored.case, distance=one.distance, similarity=share, contributions=one.shares)
        for one, share in zip(ranked, similarities, strict=True)
    ]
