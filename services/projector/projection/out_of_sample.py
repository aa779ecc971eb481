"""Where a new point belongs on a finished map: UMAP's attraction to its neighbours, the map held still.

Q queries, k neighbours; float64. UMAP's loss for one new point i with neighbours j is, without the repulsion that
keeps whole clusters apart, Σ_j w_ij log(1 + a r_ij^(2b)) (McInnes et al., arXiv:1802.03426, section 3.2): a robust
location, which stays with the cluster that most neighbours are in where their mean would fall between clusters.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_ROUNDS = 60
_TOUCHING = 1e-3
"""Squared distance on the map below which a neighbour pulls no harder: else it would hold the point for ever."""


@cache
def curve(min_dist: float) -> tuple[float, float]:
    """UMAP's a and b: 1 / (1 + a r^(2b)) fitted to 1 up to `min_dist` and exp(min_dist - r) beyond, over 0 < r < 3."""
    from scipy.optimize import curve_fit  # noqa: PLC0415 -- a second, and only who places or fits needs it

    r = np.linspace(0, 3, 300)
    wanted = np.where(r < min_dist, 1.0, np.exp(min_dist - r))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), r, wanted)
    return float(a), float(b)


def memberships(distances: Floats) -> Floats:
    """UMAP's weights of neighbours [Q,k] from their distances in the latent space [Q,k], nearest first.

    w_j = exp(-(d_j - d_1) / σ) with σ such that they sum to log2 k (ibid., algorithm 3).
    """
    beyond = distances - distances[:, :1]
    wanted = np.log2(distances.shape[1])
    low, high = np.zeros(len(distances)), np.full(len(distances), np.inf)
    sigma = np.maximum(beyond.mean(1), 1e-12)
    for _ in range(_ROUNDS):
        too_much = np.exp(-beyond / sigma[:, None]).sum(1) > wanted
        high, low = np.where(too_much, sigma, high), np.where(too_much, low, sigma)
        sigma = np.where(np.isinf(high), sigma * 2, (low + high) / 2)
    weights: Floats = np.exp(-beyond / np.clip(sigma, 1e-12, 1e12)[:, None])
    return weights


def attracted(neighbours: Floats, distances: Floats, min_dist: float) -> Floats:
    """Places [Q,2] of queries whose neighbours lie at `neighbours` [Q,k,2] on the map, at `distances` [Q,k] in latents.

    Reweighted means from the plain weighted mean on; a query at distance 0 of cases lies in their middle.
    """
    a, b = curve(min_dist)
    weights = memberships(distances)
    where = _mean(neighbours, weights)
    x, y = np.ascontiguousarray(neighbours[..., 0]), np.ascontiguousarray(neighbours[..., 1])
    for _ in range(_ROUNDS):
        squared = np.maximum((x - where[:, :1]) ** 2 + (y - where[:, 1:]) ** 2, _TOUCHING)
        risen = squared**b
        where = _mean(neighbours, weights * risen / (squared * (1 + a * risen)))
    same = distances == 0
    return np.where(same[:, :1], _mean(neighbours, np.where(same.any(1, keepdims=True), same, 1.0)), where)


def _mean(points: Floats, weights: Floats) -> Floats:
    total: Floats = np.einsum("qk,qkc->qc", weights, points) / weights.sum(1, keepdims=True)
    return total
