"""Turns the latent so that its dimensions mean something, are ordered by what they matter, and can be named.

A turn changes nothing of what the network knows. Among the diagnosis dimensions it is a rotation after `evened`, and
the rotation does not change their distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

LEAST_CORRELATION = 0.5
"""Below it a name would promise too much."""
LEAST_VARIANCE = 0.01
"""The prior's is 1: a direction far below it has collapsed, and stretching it would show noise."""


@dataclass(frozen=True)
class Axes:
    """Latents as exported: (network's latent - centre) @ turn.T."""

    centre: Floats
    """[D]"""
    turn: Floats
    """[D,D] of full rank"""

    def of(self, means: Floats) -> Floats:
        """Return network latents [N,D] as exported ones [N,D]."""
        return (means - self.centre) @ self.turn.T

    @property
    def back(self) -> Floats:
        """[D,D], the inverse turn."""
        return np.asarray(np.linalg.inv(self.turn))

    def reordered(self, order: Sequence[int]) -> "Axes":
        """Return the same with its dimensions in another order."""
        return Axes(self.centre, self.turn[list(order)])


def towards_classes(head: Floats, means: Floats) -> Floats:
    """Return orthonormal rows [S,S]: first as near as can be to the head's directions [C,S], then what else varies.

    The nearest orthonormal set to a set of directions is their polar factor (Higham 1989). With more directions than
    dimensions there is no such set, and the rows are the principal axes of the latents [N,S].
    """
    classes = len(head)
    if classes > head.shape[1]:
        return _principal(means)
    left, _, right = np.linalg.svd(head / np.linalg.norm(head, axis=1, keepdims=True), full_matrices=False)
    polar = left @ right  # [C,S]
    rest = np.linalg.svd(polar)[2][classes:]  # [S-C,S]
    return np.concatenate([polar, _principal(means @ rest.T) @ rest])


def evened(means: Floats, power: float) -> Floats:
    """Return the symmetric matrix [S,S] under which latents [N,S] spread by the `power` of what they did.

    Along each principal axis: 1 leaves all as it is, 0 whitens.
    """
    variance, vectors = _principal_axes(means)
    return np.asarray(vectors * np.maximum(variance, LEAST_VARIANCE) ** ((power - 1) / 2) @ vectors.T)


def towards_factors(means: Floats, factors: Floats) -> Floats:
    """Return a matrix [A,A] that whitens latents [N,A] and turns them towards measured factors [N,F].

    After whitening, the rotation with the largest sum of correlations is an orthogonal Procrustes problem
    (Schoenemann 1966). It is solved again for the factors that it can serve, until all of them are: at most A.
    """
    whiten = _whitening(means)
    white = (means - means.mean(0)) @ whiten.T
    known = np.isfinite(factors).all(1)
    target = _standard(factors[known])
    reach = white[known].T @ target / known.sum()  # [A,F], correlations
    chosen = list(np.argsort(-np.linalg.norm(reach, axis=0))[: means.shape[1]])
    while len(chosen) > 1:
        left, _, right = np.linalg.svd(reach[:, chosen], full_matrices=False)
        towards = left @ right  # [A,K], orthonormal columns
        served = (towards * reach[:, chosen]).sum(0)
        if served.min() >= LEAST_CORRELATION:
            break
        chosen.pop(int(served.argmin()))
    left, _, right = np.linalg.svd(reach[:, chosen], full_matrices=False)
    towards = (left @ right).T  # [K,A]
    rest = np.linalg.svd(towards)[2][len(towards) :]
    return np.concatenate([towards, rest]) @ whiten


def name_dimensions(
    latents: Floats, factors: Floats, factor_names: Sequence[str], given: Sequence[str | None]
) -> list[str]:
    """Return a name for each dimension of latents [N,D]: the given one, else the factor it follows, else its number.

    A factor names at most one dimension, the one that correlates with it most, and only from 0.5 on.
    """
    known = np.isfinite(factors).all(1)
    correlation = _standard(latents[known]).T @ _standard(factors[known]) / known.sum()  # [D,F]
    correlation[[name is not None for name in given]] = 0
    result = [name or f"Dimension {index + 1}" for index, name in enumerate(given)]
    for _ in factor_names:
        dimension, factor = np.unravel_index(np.abs(correlation).argmax(), correlation.shape)
        if abs(correlation[dimension, factor]) < LEAST_CORRELATION:
            break
        result[dimension] = factor_names[factor]
        correlation[dimension] = correlation[:, factor] = 0
    return result


def _principal_axes(values: Floats) -> tuple[Floats, Floats]:
    """Return the variances [S], rising, along the axes that are the columns [S,S]."""
    variance, vectors = np.linalg.eigh(np.cov(values.T).reshape(values.shape[1], -1))
    return variance, vectors


def _principal(values: Floats) -> Floats:
    _, vectors = _principal_axes(values)
    return np.asarray(vectors.T[::-1])


def _whitening(values: Floats) -> Floats:
    variance, vectors = _principal_axes(values)
    return np.asarray((vectors / np.sqrt(np.maximum(variance, LEAST_VARIANCE))).T)


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean(0)) / np.maximum(values.std(0), 1e-12))
