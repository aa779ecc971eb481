"""Out-of-distribution score of a query, and its reasons."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import OutOfDistributionScale
from casekin.contracts.neighbours import ImageMeasures, OutOfDistribution

TOO_HIGH = {
    "neighbour_distance": "Far from every case of the collection",
    "extreme_coordinate": "Further out in one dimension than the collection's cases",
    "reconstruction_error": "Poorly reconstructed by the model",
    "sharpness": "Sharper edges than dermatoscopic images have, as of text or a screen",
    "brightness": "Brighter than the collection's images",
}
TOO_LOW = {"sharpness": "Less sharp than the collection's images", "brightness": "Darker than the collection's images"}


def score_query(
    distances: Sequence[float],
    latents: NDArray[np.float64],
    image: ImageMeasures | None,
    scale: OutOfDistributionScale,
) -> OutOfDistribution:
    """Sum of the excesses beyond the tails of validation images; beyond the limit, with a reason for each of them.

    `distances` are those of the calibrated number of nearest cases, at least one; `latents` is [M, D].
    """
    measures = {"neighbour_distance": fmean(distances), "extreme_coordinate": float(np.abs(latents).max())}
    if image is not None:
        measures |= image.model_dump()
    excesses = sorted(_excesses(measures, scale), key=lambda one: -one[0])
    score, limit = sum(excess for excess, _ in excesses), scale.latent_limit if image is None else scale.image_limit
    beyond = score > limit
    return OutOfDistribution(
        score=score,
        limit=limit,
        is_out_of_distribution=beyond,
        reasons=[reason for excess, reason in excesses if excess] if beyond else [],
    )


def _excesses(measures: Mapping[str, float], scale: OutOfDistributionScale) -> Iterator[tuple[float, str]]:
    """By how many mean excesses each measure lies beyond its tails, 0 within them, and the reason that gives."""
    for name, tail in scale.upper.items():
        if name in measures:
            yield max(0.0, measures[name] - tail.beyond) / tail.excess, TOO_HIGH.get(name, f"Unusually large {name}")
    for name, tail in scale.lower.items():
        if name in measures:
            yield max(0.0, tail.beyond - measures[name]) / tail.excess, TOO_LOW.get(name, f"Unusually small {name}")
