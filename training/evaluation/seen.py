"""How much of a latent is seen in decoded images: figures on arrays, whatever drew them.

Shapes: N lesions, S ranking dimensions, H and W of a decoded image.
"""

import math

import numpy as np
import numpy.typing as npt

from training.evaluation.retrieval import Floats

Masks = npt.NDArray[np.bool_]


def visible_levels(change: Floats, inside: Masks) -> float:
    """Return the mean absolute change of the lesions' pixels, of 255: changes [N,3,H,W] in 0..1, masks [N,H,W]."""
    size = np.abs(change).mean(1)  # [N,H,W]
    return float(np.mean([one[mask].mean() for one, mask in zip(size, inside, strict=True)]) * 255)


def leak(movement: Floats, dimension: int, shares: Floats) -> float:
    """Return how far other dimensions move, by what one that is moved moves, over movements [N,S].

    The mean absolute movement of the others, weighted by their shares [S] of the distance, over that of `dimension`;
    both are means over lesions, so that a lesion that hardly moves is not divided by.
    """
    size = np.abs(movement).mean(0)
    others = np.delete(np.arange(len(shares)), dimension)
    return float(np.average(size[others], weights=shares[others]) / max(size[dimension], 1e-9))


def stamp(change: Floats, inside: Masks) -> float:
    """Return the mean correlation, over pairs of lesions, of changes [N,3,H,W] moved to the centres of masks [N,H,W].

    1: the same is drawn on all lesions. Pixels that come from beyond the image count as unchanged.
    """
    centred = np.stack([_centred(one, mask) for one, mask in zip(change, inside, strict=True)])
    flat = (centred - centred.mean((2, 3), keepdims=True)).reshape(len(centred), -1)
    unit = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    pairs = np.triu_indices(len(unit), 1)
    return float((unit @ unit.T)[pairs].mean())


def kernel_distance(some: Floats, others: Floats) -> float:
    """Return the kernel inception distance of features [N,F] and [M,F]: the unbiased estimate of the squared MMD.

    Kernel (x.y / F + 1)^3, Binkowski 2018 ("Demystifying MMD GANs"), section 4 and eq. 4 of its appendix.
    """
    size = some.shape[1]

    def kernel(a: Floats, b: Floats) -> Floats:
        return np.asarray((a.astype(np.float64) @ b.T.astype(np.float64) / size + 1) ** 3)

    def within(a: Floats) -> float:
        values = kernel(a, a)
        return float((values.sum() - np.trace(values)) / (len(a) * (len(a) - 1)))

    return within(some) + within(others) - 2 * float(kernel(some, others).mean())


def _centred(change: Floats, inside: Masks) -> Floats:
    rows, columns = np.nonzero(inside)
    height, width = inside.shape
    # Rounded down, not to the even number: halves would send equal lesions to different places.
    down, across = math.floor(height / 2 - rows.mean()), math.floor(width / 2 - columns.mean())
    result = np.zeros_like(change)
    of, to = _overlap(height, down), _overlap(width, across)
    result[:, of[1], to[1]] = change[:, of[0], to[0]]
    return result


def _overlap(size: int, step: int) -> tuple[slice, slice]:
    """Return the part that stays inside when moved by `step`, before and after the move."""
    return slice(max(0, -step), size - max(0, step)), slice(max(0, step), size - max(0, -step))
