"""The point in latent space that cases are ranked by: the query's images, moved by examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.search.vector_store.named_vectors import Metric

Floats = NDArray[np.float64]

AWAY = 0.5
"""How far "less like these" pushes, beside how far "more like these" pulls: negative examples tell where not to go,
not where to go (Rocchio 1971; Manning, Raghavan, Schütze 2008, section 9.1.1)."""


@dataclass(frozen=True)
class QueryPoint:
    """A metric, the latents of the query's images, and the point that cases are ranked by."""

    metric: Metric
    images: Floats
    """[M, D]"""
    point: Floats
    """[D]; the mean of the images unless examples moved it."""
    moved: bool = False
    """Whether examples moved the point."""

    @property
    def is_one_image(self) -> bool:
        """Whether the distance to the point is that to the only image, which a match shows."""
        return len(self.images) == 1 and not self.moved

    def terms(self, x: Floats) -> Floats:
        """Squared distance to the images by case and dimension [L, D], for cases x [L, D]: the mean of w (image - x)^2.

        The mean of squared distances to M points is the squared distance to their mean plus their variance.
        """
        if self.is_one_image:
            return self.from_point(x)
        return np.asarray(self.metric.weights * ((self.images.mean(0) - x) ** 2 + self.images.var(0)))

    def from_point(self, x: Floats) -> Floats:
        """Squared distance to the point by case and dimension [L, D], w (point - x)^2."""
        return np.asarray(self.metric.weights * (self.point - x) ** 2)

    def apart(self, x: Floats) -> Floats:
        """Unweighted distance [L] of cases x [L, D] to the nearest image."""
        return np.asarray(np.sqrt(((self.images[:, None] - x) ** 2).sum(2)).min(0))


def moved(start: Floats, examples: Floats, weights: Sequence[float]) -> Floats:
    """The point [D] to which examples [E, D] with `weights` move a query at `start` [D] (Rocchio 1971).

    It moves to the mean of query and positive examples, the query counting 1, which ranks by the weighted mean of
    squared distances; and away from the negative ones by at most half their distance, so that it stays among the cases.
    """
    steps = examples - start
    w = np.asarray(weights, np.float64)
    pull, push = np.maximum(w, 0), np.maximum(-w, 0)
    return np.asarray(start + pull @ steps / (1 + pull.sum()) - AWAY * (push @ steps) / (1 + push.sum()))
