"""Whether a query is unlike what the collection holds, and what about it is."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import StrangenessScale
from casekin.contracts.neighbours import ImageMeasures, Strangeness
from services.search.retrieval.results import Neighbour

TOO_HIGH = {
    "neighbour_distance": "Far from every case of the collection",
    "extreme_coordinate": "Further out in one dimension than the collection's cases",
    "reconstruction_error": "Poorly reconstructed by the model",
    "sharpness": "Sharper edges than dermatoscopic images have, as of text or a screen",
    "brightness": "Brighter than the collection's images",
}
TOO_LOW = {"sharpness": "Less sharp than the collection's images", "brightness": "Darker than the collection's images"}


def judge(
    near: Sequence[Neighbour], images: NDArray[np.float64], image: ImageMeasures | None, scale: StrangenessScale
) -> Strangeness:
    """The sum of excesses beyond the tails of what was usual in validation, and a reason for each that weighs.

    `near` are the calibrated number of nearest cases; `images` [1, D] is the query's latent.
    """
    measures = {
        "neighbour_distance": fmean(match.distance for match in near),
        "extreme_coordinate": float(np.abs(images).max()),
    }
    if image is not None:
        measures |= image.model_dump()
    excesses = sorted(_excesses(measures, scale), reverse=True)
    score, limit = sum(excess for excess, _ in excesses), scale.latent_limit if image is None else scale.image_limit
    return Strangeness(
        score=score, limit=limit, is_strange=score > limit, reasons=[reason for excess, reason in excesses if excess]
    )


def _excesses(measures: Mapping[str, float], scale: StrangenessScale) -> Iterator[tuple[float, str]]:
    """How many mean excesses each measure lies beyond its tails, 0 within, and what that means."""
    for name, tail in scale.upper.items():
        if name in measures:
            yield max(0.0, measures[name] - tail.beyond) / tail.excess, TOO_HIGH.get(name, f"Unusually large {name}")
    for name, tail in scale.lower.items():
        if name in measures:
            yield max(0.0, tail.beyond - measures[name]) / tail.excess, TOO_LOW.get(name, f"Unusually small {name}")
