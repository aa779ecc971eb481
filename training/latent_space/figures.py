"""Figures of a trained network on its test folds, as its bundle and its model card show them."""

import numpy as np
import numpy.typing as npt
import torch

from training.evaluation.evaluate import Measured, measure
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.reconstruction import Reconstruction, reconstruction
from training.evaluation.retrieval import Floats, Ints
from training.evaluation.split import Split, Vectors
from training.latent_space import embed
from training.latent_space.study import Study


def figures(study: Study, rebuilt: Reconstruction) -> dict[str, float]:
    """Return all figures on the test folds; those of the visual preset carry its name in front."""
    queries, gallery = study.labelled(study.folds.test), study.labelled(study.folds.gallery)
    presets, vocabulary = study.presets(), study.collection.vocabulary
    result = retrieval_metrics(queries, gallery, presets["clinical"], vocabulary)
    visual = retrieval_metrics(queries, gallery, presets["visual"], vocabulary)
    result |= {f"visual_{name}": value for name, value in visual.items()}
    result |= {name: interval.value for name, interval in rebuilt.overall.items()}
    return result | _head_figures(study)


def measured(study: Study, rebuilt: Reconstruction) -> Measured:
    """Return the figures with intervals, by diagnosis and by group; the clinical preset is the headline."""
    ordered = sorted(study.presets().items(), key=lambda preset: preset[0] != "clinical")
    presets = [Vectors(name, study.latents, weights) for name, weights in ordered]
    return measure(split_of(study), presets, rebuilt)


def rebuilt_by(study: Study) -> Reconstruction:
    """Return how well the decoder rebuilds the test images, beside as many principal components of the gallery."""

    @torch.no_grad()
    def decode(rows: Ints) -> torch.Tensor:
        decoded: torch.Tensor = study.network.decode(torch.from_numpy(study.encoded.means[rows]))
        return decoded

    output = embed.output_of(study.network)
    return reconstruction(decode, study.model.dimensions, output, split_of(study), study.collection.pixels)


def split_of(study: Study) -> Split:
    """Return the test folds as queries of all others."""
    return Split(study.collection.cases, study.collection.vocabulary, study.folds.test)


def _head_figures(study: Study) -> dict[str, float]:
    """Return the class head's balanced accuracy, with the prior of the training folds and without."""
    rows = study.rows(study.folds.test)
    logits, truth = study.logits(rows), study.encoded.labels[rows]
    return {
        "head_balanced": _balanced_accuracy(logits, truth),
        "head_balanced_by_prior": _balanced_accuracy(logits - study.log_prior, truth),
    }


def _balanced_accuracy(logits: Floats, truth: npt.NDArray[np.integer]) -> float:
    guessed = logits.argmax(1)
    return float(np.mean([(guessed[truth == c] == c).mean() for c in np.unique(truth)]))
