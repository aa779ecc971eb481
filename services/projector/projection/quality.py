"""How far a map can be trusted, from a sample of its cases against all of them.

N cases, S of them looked at, D dimensions, k neighbours.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import Code
from casekin.contracts.maps import Agreement, MapQuality, PlacingError
from services.projector.latents.exact_knn import ExactKnn, Floats, Indices
from services.projector.projection.out_of_sample import attracted
from services.projector.projection.procrustes import width

LOOKED_AT = 2000
_GROUPS, _GROUP = 10, 20
"""Groups of the placing errors, and cases that one needs at least."""
_CHUNK = 64
Rows = npt.NDArray[np.intp]


def assess(
    points: Floats, xy: Floats, diagnoses: Sequence[Code | None], *, k: int, min_dist: float, moved: float | None
) -> MapQuality:
    """The quality of a map: points [N,D] as UMAP saw them, their places xy [N,2]."""
    k = min(k, (len(points) - 1) // 2)
    rows = np.sort(np.random.default_rng(0).permutation(len(points))[:LOOKED_AT])
    near, distances = _others(points, rows, k)
    near_on_map, _ = _others(xy, rows, k)
    return MapQuality(
        neighbours=k,
        looked_at=len(rows),
        trustworthiness=round(trustworthiness(points, rows, near_on_map), 5),
        continuity=round(trustworthiness(xy, rows, near), 5),
        agreement=_agreement(diagnoses, rows, near_on_map, near),
        placing=_placing_errors(xy, rows, near, distances, min_dist),
        moved=moved,
    )


def trustworthiness(points: Floats, rows: Rows, near: Indices) -> float:
    """1 where all of `near` [S,k], found elsewhere for the cases `rows` [S], are neighbours among `points` too.

    T = 1 - 2 / (S k (2N - 3k - 1)) Σ_i Σ_j max(0, r(i,j) - k), with r(i,j) the rank of j by distance from i: Venna and
    Kaski, ICANN 2001. With the two spaces exchanged it is their continuity.
    """
    N, (S, k) = len(points), near.shape
    penalty = 0
    norms = np.einsum("nd,nd->n", points, points)
    for first in range(0, S, _CHUNK):
        part = rows[first : first + _CHUNK]
        squared = norms[None] - 2 * points[part] @ points.T  # [chunk,N], but for what is equal along a row
        squared[np.arange(len(part)), part] = np.inf
        own = np.take_along_axis(squared, near[first : first + _CHUNK].astype(np.intp), 1)
        for column in own.T:
            ranks = (squared < column[:, None]).sum(1) + 1
            penalty += int(np.maximum(ranks - k, 0).sum())
    return 1.0 - 2.0 * penalty / float(S * k * (2 * N - 3 * k - 1))


def _others(points: Floats, rows: Rows, k: int) -> tuple[Indices, Floats]:
    """The k nearest other points of `rows`: indices [S,k], distances [S,k]."""
    indices, distances = ExactKnn(points).of(points[rows], k + 1)
    other = indices != rows[:, None]
    other[other.all(1), -1] = False  # among duplicates its own row may not be found
    return indices[other].reshape(-1, k), distances[other].reshape(-1, k)


def _agreement(diagnoses: Sequence[Code | None], rows: Rows, on_map: Indices, in_latent: Indices) -> list[Agreement]:
    codes = sorted({code for code in diagnoses if code is not None})
    number = {code: i for i, code in enumerate(codes)}
    labels = np.array([number.get(code, -1) if code is not None else -1 for code in diagnoses])
    own = labels[rows]
    shares = {name: (labels[near] == own[:, None]).mean(1) for name, near in (("map", on_map), ("latent", in_latent))}
    by_diagnosis = []
    for i, code in enumerate(codes):
        if (mine := own == i).any():
            on_map_share, in_latent_share = (float(shares[name][mine].mean()) for name in ("map", "latent"))
            by_diagnosis.append(
                Agreement(
                    diagnosis=code,
                    cases=int(mine.sum()),
                    on_map=round(on_map_share, 4),
                    in_latent=round(in_latent_share, 4),
                )
            )
    return by_diagnosis


def _placing_errors(xy: Floats, rows: Rows, near: Indices, distances: Floats, min_dist: float) -> list[PlacingError]:
    """Each case placed from its neighbours as if it were new, grouped by how far apart those lie."""
    if len(rows) < _GROUP or not width(xy):
        return []
    around = xy[near].astype(np.float64)
    places = attracted(around, distances.astype(np.float64), min_dist)
    spreads = np.linalg.norm(around - places[:, None], axis=2).mean(1) / width(xy)
    errors = np.linalg.norm(places - xy[rows], axis=1) / width(xy)
    groups = np.array_split(np.argsort(spreads, kind="stable"), min(_GROUPS, len(rows) // _GROUP))
    return [
        PlacingError(
            spread=round(float(spreads[group].max()), 5),
            median=round(float(np.median(errors[group])), 5),
            p90=round(float(np.quantile(errors[group], 0.9)), 5),
        )
        for group in groups
    ]
