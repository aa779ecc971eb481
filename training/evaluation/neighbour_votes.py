"""Votes of neighbours, and the similarity of matches that search states with them, for many queries at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from casekin.contracts.bundle import CalibrationPoint, MatchField, SimilarityModel, VoteCalibration, VoteScale
from casekin.similarity import probability_of_agreement, read_curve
from training.data.cases import LabelledCase
from training.evaluation.retrieval import Floats, Ints, Labelled

Strings = npt.NDArray[np.str_]


@dataclass(frozen=True)
class CaseDetails:
    """What is known of N cases beside their diagnoses."""

    vote_weights: Floats
    """[N], by how a diagnosis was confirmed"""
    values: Mapping[MatchField, Strings]
    """[N] each, evidence and source; empty where unknown"""

    @staticmethod
    def of(cases: Sequence[LabelledCase], evidence_weights: Mapping[str, float]) -> "CaseDetails":
        """Return the details of cases; a vote counts 1 by an evidence that is not among `evidence_weights`."""
        weights = np.array([evidence_weights.get(case.evidence, 1.0) for case in cases])
        evidence, source = (np.array([getattr(case, field) for case in cases], str) for field in ("evidence", "source"))
        return CaseDetails(weights, {"evidence": evidence, "source": source})

    @staticmethod
    def unknown(count: int) -> "CaseDetails":
        """Return the details of cases of which nothing more is known."""
        return CaseDetails(np.ones(count), {})

    def take(self, rows: Ints) -> "CaseDetails":
        """Return the details at `rows`, of any shape."""
        return CaseDetails(self.vote_weights[rows], {field: codes[rows] for field, codes in self.values.items()})


class Votes(NamedTuple):
    """Votes of the neighbours of Q queries."""

    shares: Floats
    """[Q, C], summing to 1"""
    agreement: Floats
    """[Q, 1], the largest share of the votes"""

    def corrected(self, prior: Floats) -> "Votes":
        """Return the votes with each share divided by the prior of its diagnosis [C], normalised to sum to 1."""
        shares = self.shares / np.maximum(prior, 1e-12)
        return self._replace(shares=shares / shares.sum(1, keepdims=True))


@dataclass(frozen=True)
class Matches:
    """The k matches of each of Q queries; all arrays are [Q,k]."""

    values: Mapping[MatchField, Strings]
    """Diagnosis and, as far as the collection has them, evidence and source; empty where unknown."""
    votes: Floats
    """Share of the match's diagnosis among the calibrated votes of the query's neighbours."""
    distances: Floats
    prior: Floats
    """Share of the match's diagnosis in the gallery."""


@dataclass(frozen=True)
class MatchSimilarity:
    """The similarity that a bundle states of matches under one preset."""

    curve: Sequence[CalibrationPoint]
    votes: VoteCalibration | None
    """None in a bundle without; its similarity is the curve's share."""
    classes: Sequence[str]

    def of(self, gallery: Labelled, rows: Ints, distances: Floats, details: CaseDetails) -> Floats:
        """Return the similarity [Q,k] of the neighbours at `rows` [Q,k] of the gallery, as search states it.

        All k have a vote. `details` are those of the gallery's cases.
        """
        if self.votes is None or not self.votes.similarity:
            return read_curve(self.curve, distances)
        near = details.take(rows)
        votes = cast_votes(distances, gallery.labels[rows], self.curve, near.vote_weights, len(self.classes))
        shares = probabilities(votes, self.votes.plain)
        return state_similarity(
            self.votes.similarity, matches_of(gallery, rows, distances, near, shares, self.classes), self.curve
        )


def cast_votes(
    distances: Floats, labels: Ints, curve: Sequence[CalibrationPoint], evidence: Floats, classes: int
) -> Votes:
    """Return votes in which each neighbour counts the curve's share times its evidence, all [Q, k]."""
    weights = read_curve(curve, distances) * evidence
    weights = np.where(weights.sum(1, keepdims=True) > 0, weights, 1.0)
    votes = np.stack([(weights * (labels == label)).sum(1) for label in range(classes)], axis=1)
    shares = votes / votes.sum(1, keepdims=True)
    return Votes(shares, shares.max(1, keepdims=True))


def probabilities(votes: Votes, scale: VoteScale) -> Floats:
    """Return the probabilities [Q, C] that a `VoteScale` makes of votes."""
    smoothing = scale.smoothing * np.exp(-scale.decay * votes.agreement)
    logs = np.log(votes.shares + smoothing) / scale.temperature
    powers = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def matches_of(
    gallery: Labelled, rows: Ints, distances: Floats, near: CaseDetails, shares: Floats, classes: Sequence[str]
) -> Matches:
    """Return the matches at `rows` [Q,k] of the gallery.

    `near` are their details and `shares` [Q,C] the calibrated votes of each query's neighbours.
    """
    labels = gallery.labels[rows]
    prior = np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels)
    values: dict[MatchField, Strings] = {"diagnosis": np.array(classes)[labels], **near.values}
    return Matches(values, np.take_along_axis(shares, labels, 1), distances, prior[labels])


def state_similarity(models: Sequence[SimilarityModel], matches: Matches, curve: Sequence[CalibrationPoint]) -> Floats:
    """Return the similarity [Q,k] of matches: of each by the first model that names its values, or else the last."""
    nearness = read_curve(curve, matches.distances)
    stated = np.full(matches.votes.shape, np.nan)
    for model in models:
        named, added = np.ones(stated.shape, bool), np.zeros(stated.shape)
        for field, values in model.added.items():
            codes = matches.values.get(field, np.full(stated.shape, ""))
            named &= np.isin(codes, list(values))
            for code, value in values.items():
                added += value * (codes == code)
        here = np.isnan(stated) & (named | (model is models[-1]))
        by_model = probability_of_agreement(model, added, matches.votes, nearness, matches.distances, matches.prior)
        stated = np.where(here, by_model, stated)
    return stated
