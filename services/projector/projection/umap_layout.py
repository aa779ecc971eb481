"""From points in D dimensions to the plane: exact neighbours, then UMAP with progress per epoch.

N points, D dimensions, k neighbours; float32. umap is imported on first use: it takes seconds, and only the maps
worker may pay for it.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.projector.latents.exact_knn import ExactKnn, Floats, Step

Labels = npt.NDArray[np.int32]
_SPREAD = 1.0
"""Standard deviation of the first principal component at the start; umap-learn starts in a square of side 10, which the
outermost cases stretch."""
_EPOCHS, _EPOCHS_OF_MANY, _MANY = 500, 200, 10_000
"""These three are umap-learn's own defaults."""
_MOST_EPOCHS, _EPOCHS_IN_ALL = 2000, 2_000_000
"""Few cases get more epochs, as many as make so many steps with their number, at most 2000: after 500 a map of 60 is
not at rest, and a refit, which goes on where the fit stopped, moves it by 14 % of its width instead of under 10."""


@dataclass(frozen=True)
class Phase:
    """Epochs in a row under the same settings."""

    share: float
    """Of all epochs."""
    repulsion: float
    """What pushes cases apart that are no neighbours; 1 is UMAP's."""
    rate: float
    """Learning rate of the first epoch; it falls to 0 towards the last."""


_FROM_COMPONENTS = (Phase(0.4, 0.03, 1.0), Phase(0.2, 0.3, 0.5), Phase(0.4, 1.0, 0.25))
"""Almost without repulsion a layout finds the graph's slow modes, as Laplacian eigenmaps would (Böhm 2022,
"Attraction-repulsion spectrum in neighbor embeddings"; the early exaggeration of t-SNE), and two fits of nearly the
same cases find the same ones. Repulsion then rises while the steps become smaller, so that clusters part where they
lie. Over six seeds the cases of fold 0 of HAM10000, left out and placed, lie 2.5 to 3.2 % of the width from where a fit
of all puts them, 2.9 on average; with full repulsion at once and larger steps 3.0 to 4.1 over three seeds, with
umap-learn's own layout and transform 2.8 to 4.1 (latents of a network that has not seen fold 0)."""
_FROM_A_MAP = (Phase(1.0, 1.0, 0.05),)
"""Cases that lie well already need not jump first: as fold 0 comes in, those that were there move by 1.4 % of the width
(at 0.25 by 1.9), and the map is no less true."""


@dataclass(frozen=True)
class UmapSettings:
    """How UMAP lays out."""

    neighbours: int
    min_dist: float
    seed: int


def lay_out(
    points: Floats,
    recipe: UmapSettings,
    *,
    near_step: Step,
    epoch_step: Step,
    start: Floats | None = None,
    labels: Labels | None = None,
) -> Floats:
    """Coordinates of the points on the map: [N,D] -> [N,2]; equal arguments give equal bits on one machine.

    McInnes et al., UMAP, arXiv:1802.03426. `start` [N,2] is where the points are before the first epoch (none: their
    first two principal components); `labels` [N] (-1: unknown) also draws points of one label together.
    Unlike umap-learn's ``init``, the start is taken as it is and not stretched to a square.
    """
    if not np.ptp(points, axis=0).any():
        return np.zeros((len(points), 2), np.float32)
    fit = _graph(points, recipe, near_step, labels)
    begin, phases = (_principal(points), _FROM_COMPONENTS) if start is None else (start, _FROM_A_MAP)
    return _optimised(fit, np.array(begin, np.float32, order="C"), phases, recipe.seed, epoch_step)


def warm_up() -> None:
    """Import umap and let numba compile what a fit needs, on a few random points."""
    points = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    lay_out(points, UmapSettings(5, 0.1, 0), near_step=_ignore, epoch_step=_ignore)


def _graph(points: Floats, recipe: UmapSettings, near_step: Step, labels: Labels | None) -> Any:
    """umap-learn's fitted model with its fuzzy graph and no coordinates."""
    known = (*ExactKnn(points).of_themselves(recipe.neighbours, near_step), None)
    fit = _umap().UMAP(
        n_neighbors=recipe.neighbours,
        min_dist=recipe.min_dist,
        random_state=recipe.seed,
        n_jobs=1,  # a seeded layout is sequential
        precomputed_knn=known,
        transform_mode="graph",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a map without search index cannot transform: nor shall it
        return fit.fit(points, labels)


def _principal(points: Floats) -> Floats:
    """The first two principal components to scale [N,2]; the sign makes each one's largest entry positive."""
    centred = points - points.mean(0)
    _, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    axes = vectors[:, ::-1][:, :2]  # [D,2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), range(axes.shape[1])])
    plane = np.zeros((len(points), 2), np.float32)
    plane[:, : axes.shape[1]] = centred @ axes  # one dimension has one component
    return np.asarray(plane / plane[:, 0].std() * _SPREAD, np.float32)


def _optimised(fit: Any, begin: Floats, phases: Sequence[Phase], seed: int, epoch_step: Step) -> Floats:
    """Stochastic gradient descent on the cross entropy between the graph and the layout (ibid., section 3.2)."""
    umap, graph = _umap(), fit.graph_.tocoo()
    epochs = _epochs(len(begin))
    graph.data[graph.data < graph.data.max() / epochs] = 0  # would be drawn less than once
    graph.eliminate_zeros()
    random = np.random.RandomState(seed)
    begin += random.normal(scale=1e-4, size=begin.shape).astype(np.float32)  # duplicates have to part
    laid, done = begin, 0
    for phase in phases:
        some = round(phase.share * epochs)
        laid = umap.layouts.optimize_layout_euclidean(
            laid,
            laid,
            graph.row,
            graph.col,
            some,
            len(begin),
            umap.umap_.make_epochs_per_sample(graph.data, some),
            fit._a,
            fit._b,
            random.randint(np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max - 1, 3).astype(np.int64),
            gamma=phase.repulsion,
            initial_alpha=phase.rate,
            tqdm_kwds=_bar(epoch_step, done, epochs),
            move_other=True,
        )
        done += some
    return laid


def _epochs(cases: int) -> int:
    """Return how many epochs a layout of so many cases takes."""
    if cases > _MANY:
        return _EPOCHS_OF_MANY
    return min(_MOST_EPOCHS, max(_EPOCHS, _EPOCHS_IN_ALL // cases))


def _bar(step: Step, before: int, total: int) -> dict[str, Any]:
    stream = _EpochStream(step, before, total)
    return {"disable": False, "file": stream, "mininterval": 0.1, "miniters": 1, "bar_format": "{n_fmt}/{total_fmt}"}


class _EpochStream:
    """What umap takes for a terminal: its epoch loop is a tqdm bar, and this reads the count out of it.

    `before` epochs of `total` were done by earlier loops.
    """

    def __init__(self, step: Step, before: int, total: int) -> None:
        self._step, self._before, self._total = step, before, total

    def write(self, text: str) -> None:
        if epoch := re.search(r"(\d+)/\d+", text):
            self._step(self._before + int(epoch[1]), self._total)

    def flush(self) -> None:
        """Nothing is held back."""


def _umap() -> Any:
    import umap  # noqa: PLC0415 -- see the module's docstring
    import umap.layouts  # noqa: PLC0415

    umap.layouts.tqdm.monitor_interval = 0  # else a thread of tqdm's own would call the epoch stream too
    for compiled in (
        umap.umap_.smooth_knn_dist,
        umap.umap_.compute_membership_strengths,
        umap.umap_.fast_intersection,
        umap.layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        compiled.enable_caching()  # umap does not, so that each process would compile them anew for eight seconds
    return umap


def _ignore(_done: int, _total: int) -> None:
    return
