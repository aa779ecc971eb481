"""The clinical weights and what a distance means, both learned on lesions that the network never saw."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from casekin.contracts.bundle import CalibrationPoint
from training.evaluation.retrieval import Labelled, neighbours

Floats = npt.NDArray[np.floating]

CALIBRATION_DEPTH = 30
"""Matches per query from which a distance is calibrated: what a page shows, and somewhat beyond."""
SOFT_NEIGHBOURS = 16
"""About so many neighbours have a say while weights are learned."""


def learn_weights(queries: Labelled, gallery: Labelled, start: Floats, steps: int = 40, decay: float = 0.05) -> Floats:
    """Return weights [D] of mean 1, learned from `start` [D], under which neighbours share the query's diagnosis best.

    Neighbourhood components analysis (Goldberger 2004, eq. 3: the expected share of right neighbours), diagonal, over
    validation queries, each diagnosis counting alike. Queries and gallery must share no lesion. `decay` holds the
    logarithms near those of `start`: a thousand queries cannot tell thirty weights apart on their own.
    """
    if shared := set(queries.lesions) & set(gallery.lesions):
        raise ValueError(f"{len(shared)} lesions are in the queries and in the gallery; weights would learn siblings")
    x, y = torch.from_numpy(queries.latents).float(), torch.from_numpy(gallery.latents).float()
    same = torch.from_numpy(queries.labels[:, None] == gallery.labels[None, :])
    counts = np.bincount(queries.labels)
    share = torch.from_numpy(1 / counts[queries.labels]).float()
    share /= share.sum()
    begun = torch.from_numpy(np.log(start)).float()
    sharpness = _sharpness(queries, gallery, start / start.mean())
    logs = begun.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([logs], lr=0.05)
    for _ in range(steps):
        closeness = -_squared(x, y, torch.softmax(logs, 0) * len(logs)) * sharpness
        chance = (torch.softmax(closeness, 1) * same).sum(1)
        moved = (logs - logs.mean()) - (begun - begun.mean())
        loss = decay * moved.square().mean() - (chance * share).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    learned = torch.softmax(logs.detach(), 0) * len(logs)
    return learned.numpy().astype(np.float64)


def _sharpness(queries: Labelled, gallery: Labelled, weights: Floats) -> float:
    # Left to be learned, it grows until only the nearest case counts, and the weights learn chance by heart.
    _, distances = neighbours(queries, gallery, weights, SOFT_NEIGHBOURS)
    return float(1 / np.median(distances[:, -1] ** 2 - distances[:, 0] ** 2 + 1e-9))


def calibrate(
    queries: Labelled, gallery: Labelled, weights: Floats, points: int = 24, depth: int = CALIBRATION_DEPTH
) -> list[CalibrationPoint]:
    """Return, for rising distances, the falling share of matches that had the query's diagnosis.

    Isotonic regression (Barlow 1972) over the nearest matches of each query, read off at their quantiles.
    """
    order, distances = neighbours(queries, gallery, weights, depth)
    hits = gallery.labels[order] == queries.labels[:, None]
    fitted = IsotonicRegression(increasing=False, y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(distances.ravel(), hits.ravel().astype(float))
    at = np.unique(np.quantile(distances, np.linspace(0, 1, points)))
    at = np.unique(np.concatenate([[0.0], at]))
    shares = np.minimum.accumulate(fitted.predict(at))
    return [CalibrationPoint(distance=float(d), share=float(s)) for d, s in zip(at, shares, strict=True)]


def temperature(logits: Floats, labels: Sequence[int] | npt.NDArray[np.integer]) -> float:
    """Return the temperature that makes logits [N,C] most likely to say labels [N] (Guo 2017, section 4.2)."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8), 60))
    values, truth = torch.from_numpy(np.asarray(logits)).float(), torch.as_tensor(np.asarray(labels))
    costs = [float(torch.nn.functional.cross_entropy(values / t, truth)) for t in candidates]
    return float(candidates[int(np.argmin(costs))])


def _squared(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    left, right = x * weights.sqrt(), y * weights.sqrt()
    return (left.square().sum(1)[:, None] + right.square().sum(1)[None, :] - 2 * left @ right.T).clamp(min=0)
