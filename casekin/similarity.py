"""The probability that a match shares the query's diagnosis: one formula, which training fits and search states."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import CalibrationPoint, SimilarityModel, Tail

Floats = NDArray[np.floating]

_LEAST = 1e-4
"""Smallest share with log-odds of its own; none at all says no more than this."""


def log_odds(shares: Floats) -> Floats:
    """Return log(p / (1 - p)) of shares p in 0..1, cut to where it is finite."""
    within = np.clip(shares, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(within / (1 - within)))


def read_curve(points: Sequence[CalibrationPoint], distances: Floats) -> Floats:
    """Return the share at each distance: linear between the points of a curve, constant beyond its ends."""
    return np.asarray(np.interp(distances, [p.distance for p in points], [p.share for p in points]))


def probability_of_agreement(
    model: SimilarityModel, additions: Floats, votes: Floats, nearness: Floats, distances: Floats, prior: Floats
) -> Floats:
    """Return the probability that each of L matches shares the query's diagnosis [L]; see `SimilarityModel`.

    `additions` are the sums of what diagnosis, evidence and source add to the log-odds, `votes` the shares of the
    matches' diagnoses among the calibrated votes, `nearness` the curve's shares at their distances, `prior` the shares
    of their diagnoses in the collection; [L] each.
    """
    logits = model.constant + additions + model.votes * log_odds(votes) + model.nearness * log_odds(nearness)
    return fading(1 / (1 + np.exp(-logits)), distances, prior, model.far)


def fading(stated: Floats, distances: Floats, prior: Floats, far: Tail) -> Floats:
    """Return probabilities [L] that fall to the prior [L] beyond the tail of distances; those below it stay.

    What lies farther than nearly all that was measured says ever less about the query: the excess over the prior
    shrinks by e with each mean excess of the tail, so that probabilities never rise with distance.
    """
    kept = np.exp(-np.maximum(distances - far.beyond, 0) / far.excess)
    return np.asarray(np.where(stated > prior, prior + (stated - prior) * kept, stated))
