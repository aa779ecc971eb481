"""Matches that differ from each other: maximal marginal relevance (Carbonell & Goldstein 1998)."""

import numpy as np
from numpy.typing import NDArray


def diverse(distances: NDArray[np.float64], apart: NDArray[np.float64], diversity: float, count: int) -> list[int]:
    """Up to `count` of N rows, chosen one by one: near to the query and far from those already chosen.

    With distances for similarities: next is the row that least has (1 - δ) d(query, i) - δ min over the chosen of
    d(i, chosen). `distances` is [N] to the query, ascending, `apart` [N, N] between the rows; δ = `diversity`.
    """
    left = np.ones(len(distances), bool)
    nearest = np.full(len(distances), np.inf)
    chosen: list[int] = []
    while len(chosen) < min(count, len(distances)):
        spread = np.where(np.isinf(nearest), 0.0, nearest)
        cost = np.where(left, (1 - diversity) * distances - diversity * spread, np.inf)
        row = int(cost.argmin())
        chosen.append(row)
        left[row] = False
        nearest = np.minimum(nearest, apart[row])
    return chosen


def distances_between(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, N] of rows x [N, D]."""
    gram = x @ x.T
    norms = gram.diagonal()
    return np.asarray(np.sqrt(np.maximum(norms[:, None] + norms - 2 * gram, 0)))
