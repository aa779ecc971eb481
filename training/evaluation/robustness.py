"""What is left of retrieval when the query's image is disturbed and the gallery is not."""

from collections.abc import Mapping, Sequence

import numpy as np

from casekin.collections import ImageSource
from casekin.imaging.read import cover, read_image
from training.evaluation.bootstrap import Interval, retrieval_intervals
from training.evaluation.disturbances import DISTURBANCES, Disturbance
from training.evaluation.metrics import HEADLINE
from training.evaluation.retrieval import Floats
from training.evaluation.split import Split, Vectors
from training.evaluation.systems import BATCH, System

UNDISTURBED = "as they are"


def robustness(
    system: System,
    split: Split,
    vectors: Vectors,
    sources: Mapping[str, ImageSource],
    disturbances: Sequence[Disturbance] = DISTURBANCES,
) -> dict[str, dict[str, Interval]]:
    """Return the headline figures by kind of disturbance, undisturbed ones first.

    The image is disturbed at the size that it has in the collection, then brought to the encoder as an upload is.
    """
    result = {UNDISTURBED: _headline(split, vectors)}
    for disturbance in disturbances:
        latents = vectors.latents.copy()
        latents[split.queries] = disturbed_latents(system, split, sources, disturbance)
        result[disturbance.name] = _headline(split, Vectors(disturbance.name, latents, vectors.weights))
    return result


def disturbed_latents(
    system: System, split: Split, sources: Mapping[str, ImageSource], disturbance: Disturbance
) -> Floats:
    """Return the latents [Q,D] of the disturbed queries; what chance has a part in follows from the row's number."""
    result = []
    for start in range(0, len(split.queries), BATCH):
        rows = split.queries[start : start + BATCH]
        images = [read_image(sources[split.cases[row].id].read()) for row in rows]
        changed = [
            disturbance.apply(image, np.random.default_rng(row)) for image, row in zip(images, rows, strict=True)
        ]
        result.append(system.embed(np.stack([np.asarray(cover(image, system.input)) for image in changed])))
    return np.concatenate(result)


def _headline(split: Split, vectors: Vectors) -> dict[str, Interval]:
    measured = retrieval_intervals(split.ask(vectors))
    return {name: measured[name] for name in HEADLINE if name in measured}
