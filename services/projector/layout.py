"""From points in D dimensions to the plane: exact neighbours, then UMAP with progress per epoch.

N points, D dimensions, k neighbours; float32. umap is imported on first use: it takes seconds, and only the maps
worker may pay for it.
"""

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Step = Callable[[int, int], None]
"""Called with how many of how many steps are done; may raise to stop."""

EXACT_BELOW = 50_000
"""Up to here exact neighbours cost less than compiling and running nearest-neighbour descent."""
_CELLS = 8_000_000
"""Distances held at once: bounds the memory of the search for neighbours to some 100 MB."""


def nearest(points: Floats, k: int, step: Step) -> tuple[Indices, Floats]:
    """The k nearest points of each, itself first, and their Euclidean distances.

    points [N,D] -> indices [N,k], distances [N,k].
    """
    N = len(points)
    indices, distances = np.empty((N, k), np.int32), np.empty((N, k), np.float32)
    norms = np.einsum("nd,nd->n", points, points)
    chunk = max(1, min(1024, _CELLS // N))
    for first in range(0, N, chunk):
        rows = np.arange(first, min(first + chunk, N))
        squared = norms[rows, None] + norms[None, :] - 2 * points[rows] @ points.T  # [chunk,N]
        squared[np.arange(len(rows)), rows] = -1  # itself first, even among duplicates
        near = np.argpartition(squared, k - 1, axis=1)[:, :k]
        near.sort(axis=1)
        order = np.argsort(np.take_along_axis(squared, near, 1), axis=1, kind="stable")
        indices[rows] = np.take_along_axis(near, order, 1)
        found = np.take_along_axis(squared, indices[rows].astype(np.intp), 1)
        distances[rows] = np.sqrt(np.maximum(found, 0))
        step(int(rows[-1]) + 1, N)
    return indices, distances


def lay_out(
    points: Floats, *, neighbours: int, min_dist: float, seed: int, near_step: Step, epoch_step: Step
) -> Floats:
    """Coordinates of the points on the map: [N,D] -> [N,2]; equal arguments give equal bits on one machine.

    McInnes et al., UMAP, arXiv:1802.03426; started from the first two principal components.
    """
    if not np.ptp(points, axis=0).any():
        return np.zeros((len(points), 2), np.float32)
    umap = _umap()
    known = (None, None, None)
    if len(points) <= EXACT_BELOW:
        known = (*nearest(points, neighbours, near_step), None)  # type: ignore[assignment]
    fit = umap.UMAP(
        n_components=2,
        n_neighbors=neighbours,
        min_dist=min_dist,
        init="pca" if points.shape[1] >= 2 else "random",
        random_state=seed,
        n_jobs=1,  # a seeded layout is sequential
        precomputed_knn=known,
        tqdm_kwds={
            "disable": False,
            "file": _EpochStream(epoch_step),
            "mininterval": 0.1,
            "miniters": 1,
            "bar_format": "{n_fmt}/{total_fmt}",
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a map without search index cannot transform: nor shall it
        coordinates: Floats = np.asarray(fit.fit_transform(points), np.float32)
    return coordinates


def warm_up() -> None:
    """Import umap and let numba compile what a fit needs, on a few random points."""
    points = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    lay_out(points, neighbours=5, min_dist=0.1, seed=0, near_step=_ignore, epoch_step=_ignore)


class _EpochStream:
    """What umap takes for a terminal: its epoch loop is a tqdm bar, and this reads the count out of it."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def write(self, text: str) -> None:
        if told := re.search(r"(\d+)/(\d+)", text):
            self._step(int(told[1]), int(told[2]))

    def flush(self) -> None:
        """Nothing is held back."""


def _umap() -> Any:
    import umap  # noqa: PLC0415 -- see the module's docstring
    import umap.layouts  # noqa: PLC0415

    umap.layouts.tqdm.monitor_interval = 0  # else a thread of tqdm's own would call the epoch stream too
    return umap


def _ignore(_done: int, _total: int) -> None:
    return
