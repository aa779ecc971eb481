"""Ridge regression whose penalty minimises generalised cross-validation (Golub 1979)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

PENALTIES = np.geomspace(1e-1, 1e5, 25)
"""Candidates, relative to standardised latents."""


def direction(latents: Floats, values: Floats) -> Floats:
    """Return the slope [D] of the ridge regression of values [N] on latents [N,D], leaving out rows without a value."""
    known = np.isfinite(values)
    x, y = np.asarray(latents, float)[known], np.asarray(values, float)[known]
    spread = np.maximum(x.std(0), 1e-12)
    return np.asarray(_slopes((x - x.mean(0)) / spread, (y - y.mean())[:, None])[:, 0] / spread)


def cross_fitted(x: Floats, y: Floats, folds: Ints) -> Floats:
    """Return predictions [N,P] of targets y [N,P], each from a ridge regression on the other folds of x [N,D]."""
    result = np.zeros(y.shape)
    for fold in np.unique(folds):
        test = folds == fold
        mean, spread = x[~test].mean(0), np.maximum(x[~test].std(0), 1e-12)
        centre = y[~test].mean(0)
        slopes = _slopes((x[~test] - mean) / spread, y[~test] - centre)
        result[test] = (x[test] - mean) / spread @ slopes + centre
    return result


def _slopes(x: Floats, y: Floats) -> Floats:
    """Return ridge slopes [D,P] of centred y [N,P] on standardised x [N,D], each with its own best penalty."""
    variance, axes = np.linalg.eigh(x.T @ x)  # [D], [D,D]
    variance = np.maximum(variance, 0)
    along = axes.T @ (x.T @ y)  # [D,P]
    kept = variance[:, None] / (variance[:, None] + PENALTIES)  # [D,L]
    shares = np.square(along) / np.maximum(variance, 1e-9 * variance.max() + 1e-12)[:, None]  # of ||y||^2
    # ||y - fitted||^2 = ||y||^2 - sum of (1 - (1 - kept)^2) shares
    unexplained = (y**2).sum(0) - (1 - (1 - kept) ** 2).T @ shares  # [L,P]
    freedom = 1 - (kept.sum(0) + 1) / len(x)  # [L]
    criterion = np.where(freedom[:, None] > 0, unexplained / np.square(np.maximum(freedom, 1e-12))[:, None], np.inf)
    penalty = PENALTIES[criterion.argmin(0)]  # [P]
    return np.asarray(axes @ (along / (variance[:, None] + penalty)))
