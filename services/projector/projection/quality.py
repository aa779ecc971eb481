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
    points: Floats,
    xy: Floats,
    diagnoses: Sequence[Code | None],
    lesions: Sequence[Code | None],
    *,
    k: int,
    min_dist: float,
    moved: float | None,
) -> MapQuality:
    """The quality of a map: points [N,D] as UMAP saw them, their places xy [N,2].

    Cases of one lesion do not count for one another's agreement: a second photograph of a lesion lies beside the first
    whatever the diagnosis, as it never does for a new lesion.
    """
    k = min(k, (len(points) - 1) // 2)
    rows = np.sort(np.random.default_rng(0).permutation(len(points))[:LOOKED_AT])
    near, distances = _others(points, rows, k)
    near_on_map, _ = _others(xy, rows, k)
    return MapQuality(
        neighbours=k,
        looked_at=len(rows),
        trustworthiness=round(trustworthiness(points, rows, near_on_map), 5),
        continuity=round(trustworthiness(xy, rows, near), 5),
        agreement=_agreement(diagnoses, lesions, rows, near_on_map, near),
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


def _agreement(
    diagnoses: Sequence[Code | None], lesions: Sequence[Code | None], rows: Rows, on_map: Indices, in_latent: Indices
) -> list[Agreement]:
    labels, lesion = _numbered(diagnoses), _numbered(lesions)
    codes = sorted({code for code in diagnoses if code is not None})

    def share(near: Indices) -> npt.NDArray[np.float64]:
        """Of the neighbours `near` [S,k] of other lesions, the share of the own diagnosis [S]; NaN without any."""
        other = (lesion[near] != lesion[rows][:, None]) | (lesion[near] < 0)
        hits = other & (labels[near] == labels[rows][:, None])
        with np.errstate(invalid="ignore"):
            return np.asarray(hits.sum(1) / other.sum(1))

    shares = share(on_map), share(in_latent)
    measured = ~np.isnan(shares).any(0)
    by_diagnosis = []
    for number, code in enumerate(codes):
        if (mine := (labels[rows] == number) & measured).any():
            on_map_share, in_latent_share = (round(float(one[mine].mean()), 4) for one in shares)
            by_diagnosis.append(
                Agreement(diagnosis=code, cases=int(mine.sum()), on_map=on_map_share, in_latent=in_latent_share)
            )
    return by_diagnosis


def _numbered(codes: Sequence[Code | None]) -> Rows:
    """A number for each code by its order, -1 for none [N]."""
    number = {code: i for i, code in enumerate(sorted({code for code in codes if code is not None}))}
    return np.array([-1 if code is None else number[code] for code in codes], np.intp)


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
