"""Confidence intervals by percentile bootstrap (Efron 1979) over lesions.

Images of one lesion are not independent, so whole lesions are drawn. The search is not repeated: a sample is how
often each query counts, and each figure a mean over queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.metrics import by_diagnosis, counted_once, figures
from training.evaluation.retrieval import VALUES, Floats, Outcomes

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return `value (low to high)`."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def samples(lesions: Sequence[str] | np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return how often each of Q queries counts [R,Q] when as many lesions as there are get drawn with replacement."""
    names, lesion = np.unique(np.asarray(lesions), return_inverse=True)
    size = len(names)
    drawn = np.random.default_rng(seed).integers(size, size=(resamples, size))
    drawn += size * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size)
    return np.asarray(counts[:, lesion], dtype=float)


def retrieval_intervals(outcomes: Outcomes, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Return the figures of retrieval by name, with intervals."""
    measured = figures(outcomes, counted_once(outcomes))
    drawn = figures(outcomes, samples(outcomes.lesions, resamples))
    return {name: interval(float(value[0]), drawn[name]) for name, value in measured.items()}


def diagnosis_intervals(outcomes: Outcomes, resamples: int = RESAMPLES) -> dict[str, dict[str, Interval]]:
    """Return the means of `VALUES` over the queries of each diagnosis that has any, by diagnosis and name."""
    measured = by_diagnosis(outcomes, counted_once(outcomes))[0]  # [C,8]
    drawn = by_diagnosis(outcomes, samples(outcomes.lesions, resamples))  # [R,C,8]
    return {
        code: {name: interval(float(measured[c, v]), drawn[:, c, v]) for v, name in enumerate(VALUES)}
        for c, code in enumerate(outcomes.vocabulary.codes)
        if (outcomes.truth == c).any()
    }


def mean_interval(values: Floats, lesions: Sequence[str] | np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Return the mean of values [Q] with its interval."""
    counts = samples(lesions, resamples)
    return interval(float(np.mean(values)), counts @ values / counts.sum(1))


def interval(value: float, drawn: Floats) -> Interval:
    """Return the value with quantiles of the resampled values [R]; NaN (no such queries) is left out."""
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
