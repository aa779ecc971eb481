"""Fit the probability that a match shares the query's diagnosis to matches of held-out queries."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from casekin.contracts.bundle import CalibrationPoint, MatchField, SimilarityModel
from casekin.similarity import log_odds, read_curve
from training.evaluation.neighbour_votes import Matches
from training.latent_space.tails import upper_tail

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

PRECISION: dict[MatchField, float] = {"diagnosis": 0.05, "evidence": 1.0, "source": 1.0}
"""Of the normal prior around 0 of what a value adds to the log-odds. Small for a diagnosis: only one with a handful of
matches is drawn to the others, so that what is stated is right for each."""
FAR = 0.01
"""Share of the matches that lie in the tail beyond which similarity falls to the prior."""


def fit_similarities(matches: Matches, agrees: Bools, curve: Sequence[CalibrationPoint]) -> list[SimilarityModel]:
    """Return a model for matches of which all is known, and one for all others, by diagnosis alone.

    Only the latter where no match has an evidence or a source.
    """
    known = [field for field, codes in matches.values.items() if (codes != "").any()]
    fields: list[list[MatchField]] = [known] if len(known) > 1 else []
    fields.append(["diagnosis"])
    return [fit_similarity(matches, agrees, curve, some) for some in fields]


def fit_similarity(
    matches: Matches, agrees: Bools, curve: Sequence[CalibrationPoint], fields: Sequence[MatchField]
) -> SimilarityModel:
    """Return the model by `fields` under which matches most likely agree with their queries as `agrees` [Q,k] says.

    Logistic regression with a normal prior of `PRECISION`, over matches of which all these fields are known. The
    matches of a query agree or not together, so k of them weigh against the prior as one observation.
    """
    known = np.all([matches.values[field] != "" for field in fields], axis=0)  # [Q,k]
    levels = [(field, str(code)) for field in fields for code in np.unique(matches.values[field][known])]
    slopes = [np.ones_like(matches.votes), log_odds(matches.votes), log_odds(read_curve(curve, matches.distances))]
    design = np.stack([*slopes, *(matches.values[field] == code for field, code in levels)], -1)  # [Q,k,3+L]
    precision = np.array([0.0] * len(slopes) + [PRECISION[field] * agrees.shape[1] for field, _ in levels])
    found = _logistic(design[known], agrees[known], precision)
    added: dict[MatchField, dict[str, float]] = {field: {} for field in fields}
    for (field, code), value in zip(levels, found[len(slopes) :].tolist(), strict=True):
        added[field][code] = value
    return SimilarityModel(
        constant=float(found[0]),
        votes=float(found[1]),
        nearness=float(found[2]),
        added=added,
        far=upper_tail(matches.distances.ravel(), FAR),
    )


def _logistic(design: Floats, hits: Bools, precision: Floats) -> Floats:
    """Return the coefficients [F] of the most probable logistic regression of `hits` [N] on `design` [N,F].

    The second and the third, the slopes, are not below 0.
    """

    def cost(coefficients: Floats) -> tuple[float, Floats]:
        logits, drawn = design @ coefficients, precision * coefficients
        error = (np.logaddexp(0, logits) - hits * logits).sum() + drawn @ coefficients / 2
        return float(error / len(hits)), (design.T @ (expit(logits) - hits) + drawn) / len(hits)

    bounds = [(None, None), (0, None), (0, None)] + [(None, None)] * (design.shape[1] - 3)
    return np.asarray(minimize(cost, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x)
