"""Named vectors: how one latent is stored so that the engine can rank by any weights.

==============  ==========  =======================  ====================================
space           metric      stored                   query
==============  ==========  =======================  ====================================
``visual``      Euclid      x                        q
``clinical``    Euclid      x * sqrt(w)              q * sqrt(w), w of the bundle
``weighted``    Dot         [x, x^2]                 [2 w * q, -w]
==============  ==========  =======================  ====================================

For any w >= 0: sum w (q - x)^2 = sum w q^2 - ((2 w * q) . x - w . x^2), so the largest dot product is the nearest case.
Engines compute in float32 and `Metric.error_bound` bounds their error; `services.search.retrieval.ranking` fetches
candidates until that error cannot change the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Space = Literal["visual", "clinical", "weighted"]
"""Name of a stored vector."""
UNIT = 2.0**-24
"""Half the distance from 1 to the next float32: the relative error of one rounding."""


def sizes(D: int) -> dict[Space, int]:
    """Length of the vector of each space for D dimensions."""
    return {"visual": D, "clinical": D, "weighted": 2 * D}


def stored_vectors(latent: NDArray[np.float32], clinical: NDArray[np.float64]) -> dict[Space, list[float]]:
    """The vectors of one case; `latent` and the weights `clinical` are [D]."""
    x = latent.astype(np.float64)
    return {
        "visual": _floats(x),
        "clinical": _floats(x * np.sqrt(clinical)),
        "weighted": _floats(np.concatenate([x, x * x])),
    }


def _floats(vector: NDArray[np.float64]) -> list[float]:
    floats: list[float] = vector.tolist()
    return floats


@dataclass(frozen=True)
class Metric:
    """A weighted distance and the space that ranks by it."""

    space: Space
    weights: NDArray[np.float64]
    """[D], non-negative, at least one above 0."""

    def query_vector(self, q: NDArray[np.float64]) -> list[float]:
        """The query vector of this space for q [D]."""
        w = self.weights
        match self.space:
            case "visual":
                return _floats(q)
            case "clinical":
                return _floats(q * np.sqrt(w))
            case "weighted":
                u = w / w.max()  # float32 would underflow or overflow at extreme weights; a factor keeps the order
                return _floats(np.concatenate([2 * u * q, -u]))

    def squared_distances(self, scores: Sequence[float], q: NDArray[np.float64]) -> list[float]:
        """Squared weighted distances from the engine's scores: distances, or dot products in `weighted`."""
        if self.space != "weighted":
            return [score * score for score in scores]
        norm, largest = float(self.weights @ (q * q)), float(self.weights.max())
        return [norm - score * largest for score in scores]

    def error_bound(self, q: NDArray[np.float64], squared: float) -> float:
        """Upper bound on the error of `Hits.squared`, for any case at a squared distance of at most `squared`.

        Each of at most 4 D + 16 roundings errs by `UNIT` times a sum of terms no larger than |q|^2 + |x|^2 in the
        weighted norm, and |x| <= |q| + sqrt(squared).
        """
        norm = float(self.weights @ (q * q)) ** 0.5
        return float((4 * len(q) + 16) * UNIT * (norm**2 + (norm + squared**0.5) ** 2))
