"""Exact nearest neighbours among many points, some at a time so that progress shows and a cancel is heard.

N points, Q queries, D dimensions, k neighbours; float32. scikit-learn's brute force never holds all distances.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Step = Callable[[int, int], None]
"""Called with how many of how many steps are done; may raise to stop."""
_CHUNK = 2048


class ExactKnn:
    """Points that are searched again and again."""

    def __init__(self, points: Floats) -> None:
        from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 -- two seconds, and who only serves searches none

        self.points = points
        self._search = NearestNeighbors(algorithm="brute").fit(points)

    def of(self, queries: Floats, k: int, step: Step | None = None) -> tuple[Indices, Floats]:
        """The k nearest points of each query and their Euclidean distances, nearest first.

        queries [Q,D] -> indices [Q,k], distances [Q,k].
        """
        indices, distances = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.float32)
        for first in range(0, len(queries), _CHUNK):
            rows = slice(first, min(first + _CHUNK, len(queries)))
            distances[rows], indices[rows] = self._search.kneighbors(queries[rows], k)
            if step is not None:
                step(rows.stop, len(queries))
        return indices, distances

    def of_themselves(self, k: int, step: Step | None = None) -> tuple[Indices, Floats]:
        """The k nearest of each point, itself first even among duplicates: indices [N,k], distances [N,k]."""
        indices, distances = self.of(self.points, k, step)
        own = np.arange(len(indices), dtype=np.int32)
        crowded = ~(indices == own[:, None]).any(1)  # by k duplicates or more: one of them makes room
        indices[crowded, -1], distances[crowded, -1] = own[crowded], 0
        order = np.argsort(indices != own[:, None], axis=1, kind="stable")
        distances = np.take_along_axis(distances, order, 1)
        distances[:, 0] = 0
        return np.take_along_axis(indices, order, 1), distances
