"""Linear maps of the latent after which dimensions follow something that has a name.

The maps are invertible, so they lose no information. Among the diagnosis dimensions it is `spread_to_power` and then a
rotation (`training.latent_space.named_axes`), which does not change distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

LEAST_CORRELATION = 0.5
"""Of an axis with the factor that it is aligned to."""
LEAST_VARIANCE = 0.01
"""The prior's is 1: a direction far below it has collapsed, and stretching it would show noise."""


@dataclass(frozen=True)
class Axes:
    """Map from the network's latents to the exported ones: (latent - centre) @ matrix.T."""

    centre: Floats
    """[D]"""
    matrix: Floats
    """[D,D] of full rank"""

    def transform(self, means: Floats) -> Floats:
        """Map the network's latents [N,D] to exported ones [N,D]."""
        return (means - self.centre) @ self.matrix.T

    @property
    def inverse(self) -> Floats:
        """[D,D], the inverse of `matrix`."""
        return np.asarray(np.linalg.inv(self.matrix))

    def reordered(self, order: Sequence[int]) -> "Axes":
        """Return the same with its dimensions in another order."""
        return Axes(self.centre, self.matrix[list(order)])


def spread_to_power(means: Floats, power: float) -> Floats:
    """Return the symmetric matrix [S,S] that raises the spread of latents [N,S] to `power`.

    Along each principal axis: 1 is the identity, 0 whitens.
    """
    variance, vectors = _principal_axes(means)
    return np.asarray(vectors * np.maximum(variance, LEAST_VARIANCE) ** ((power - 1) / 2) @ vectors.T)


def align_to_factors(means: Floats, factors: Floats) -> Floats:
    """Return a matrix [A,A] that whitens latents [N,A] and rotates them towards measured factors [N,F].

    After whitening, the rotation with the largest sum of correlations is an orthogonal Procrustes problem
    (Schoenemann 1966). The factor that correlates least with its axis is dropped until all reach `LEAST_CORRELATION`;
    at most A remain.
    """
    whiten = _whitening(means)
    white = (means - means.mean(0)) @ whiten.T
    known = np.isfinite(factors).all(1)
    target = standardised(factors[known])
    reach = white[known].T @ target / known.sum()  # [A,F], correlations
    chosen = list(np.argsort(-np.linalg.norm(reach, axis=0))[: means.shape[1]])
    while len(chosen) > 1:
        left, _, right = np.linalg.svd(reach[:, chosen], full_matrices=False)
        towards = left @ right  # [A,K], orthonormal columns
        aligned = (towards * reach[:, chosen]).sum(0)
        if aligned.min() >= LEAST_CORRELATION:
            break
        chosen.pop(int(aligned.argmin()))
    left, _, right = np.linalg.svd(reach[:, chosen], full_matrices=False)
    towards = (left @ right).T  # [K,A]
    rest = np.linalg.svd(towards)[2][len(towards) :]
    return np.concatenate([towards, rest]) @ whiten


def _principal_axes(values: Floats) -> tuple[Floats, Floats]:
    """Return the variances [S], rising, along the axes that are the columns [S,S]."""
    variance, vectors = np.linalg.eigh(np.cov(values.T).reshape(values.shape[1], -1))
    return variance, vectors


def principal(values: Floats) -> Floats:
    """Return the principal axes of values [N,S] as orthonormal rows [S,S], the one of largest spread first."""
    _, vectors = _principal_axes(values)
    return np.asarray(vectors.T[::-1])


def _whitening(values: Floats) -> Floats:
    variance, vectors = _principal_axes(values)
    return np.asarray((vectors / np.sqrt(np.maximum(variance, LEAST_VARIANCE))).T)


def standardised(values: Floats) -> Floats:
    """Return columns [N,F] with mean 0 and variance 1; a constant column becomes 0."""
    return np.asarray((values - values.mean(0)) / np.maximum(values.std(0), 1e-12))
