"""Bring two layouts of the same cases together. N cases."""

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float64]


def rigid(moving: Plane, onto: Plane) -> tuple[Plane, Plane]:
    """Rotation (or reflection) R [2,2] and shift t [2] that bring `moving` R + t nearest to `onto`, both [N,2].

    Orthogonal Procrustes, Schönemann, Psychometrika 31:1-10 (1966); least squares. No scaling: what lies a unit
    apart under UMAP's curve stays a unit apart.
    """
    middle, target = moving.mean(0), onto.mean(0)
    u, _, vt = np.linalg.svd((moving - middle).T @ (onto - target))
    turn: Plane = u @ vt
    return turn, target - middle @ turn


def width(xy: npt.NDArray[np.floating]) -> float:
    """Longer side of the box around all cases."""
    return float(np.ptp(xy, axis=0).max())
