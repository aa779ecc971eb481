"""k-NN vote: raw and prior-adjusted shares of the diagnoses, with a conformal set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import BundleManifest, VoteScale
from casekin.contracts.neighbours import ConformalSet, DiagnosisShare, NeighbourStatistics
from casekin.contracts.search import SearchRequest
from services.search.retrieval.out_of_distribution import score_query
from services.search.retrieval.results import Neighbour

Floats = NDArray[np.float64]

NEIGHBOURS = 16
"""Number of neighbours with a vote where the bundle has no calibration (as in Tschandl et al., Br J Dermatol 2019)."""
UNCALIBRATED = VoteScale(smoothing=0, decay=0, temperature=1)
"""Leaves shares as they are."""


@dataclass(frozen=True)
class Votes:
    """Votes of the neighbours for C diagnoses: those of the collection and of the neighbours."""

    diagnoses: list[str]
    """[C], ascending."""
    counts: list[int]
    """[C], number of neighbours."""
    shares: list[float]
    """[C], weighted by nearness and evidence, summing to 1; all 0 without a vote."""
    adjusted: list[float]
    """[C], shares divided by the diagnosis's share of the collection, summing to 1 again."""
    agreement: float
    """The largest share, 0 without a vote."""


class NeighbourVoting:
    """Statistics of the nearest cases, calibrated as the bundle says, or with the reason why they cannot be."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._version = manifest.version
        self._calibration = manifest.neighbours
        self.count = self._calibration.neighbours if self._calibration else NEIGHBOURS
        """Number of nearest cases with a vote."""

    def statistics(
        self,
        nearest: Sequence[Neighbour],
        request: SearchRequest,
        latents: Floats,
        collection: Mapping[str, int],
        evidence: Mapping[str, float],
    ) -> NeighbourStatistics:
        """Statistics of the `nearest` cases of a query with `latents` [M, D].

        `collection` is the number of cases by diagnosis in the whole collection, `evidence` the weight of a neighbour's
        diagnosis by its evidence.
        """
        votes = cast_votes(nearest, collection, evidence)
        reason = self._uncalibrated_reason(request, len(nearest))
        calibration = None
        if reason is None and self._calibration is not None and request.preset != "custom":
            calibration = self._calibration.presets[request.preset]
        raw = probabilities(votes.shares, votes.agreement, calibration.plain if calibration else UNCALIBRATED)
        scale = calibration.corrected if calibration else UNCALIBRATED
        adjusted = probabilities(votes.adjusted, votes.agreement, scale)
        conformal, out_of_distribution = None, None
        if calibration is not None and self._calibration is not None:
            distances = [neighbour.distance for neighbour in nearest]
            out_of_distribution = score_query(distances, latents, request.image, calibration.strangeness)
            wider = 1 + calibration.widening * out_of_distribution.score
            conformal = ConformalSet(
                coverage=self._calibration.coverage,
                diagnoses=_conformal(votes.diagnoses, [wider * one for one in adjusted], calibration.conformal),
            )
        return NeighbourStatistics(
            neighbours=len(nearest),
            diagnoses=_diagnosis_shares(votes, raw, adjusted),
            agreement=votes.agreement,
            conformal=conformal,
            out_of_distribution=out_of_distribution,
            uncalibrated=reason,
        )

    def _uncalibrated_reason(self, request: SearchRequest, found: int) -> str | None:
        """Why shares of this search are not calibrated; none where they are."""
        if self._calibration is None:
            return f"bundle {self._version} holds no calibration of neighbours"
        reasons = {
            "own weights were not calibrated; the presets are": request.preset == "custom",
            "filters change who the neighbours are; without them shares are calibrated": bool(request.filters),
            "examples move the search away from the image": bool(request.examples),
            "several images were not calibrated together; one alone is": len(request.latents) > 1,
            "calibrated is one case a lesion": not request.one_per_lesion,
            f"{found} cases were found; {self.count} neighbours are calibrated": found < self.count,
        }
        return next((reason for reason, applies in reasons.items() if applies), None)


def cast_votes(nearest: Sequence[Neighbour], collection: Mapping[str, int], evidence: Mapping[str, float]) -> Votes:
    """Each neighbour votes for its diagnosis with its weight times evidence; where all are 0, all count alike.

    Computes the same as `training.evaluation.neighbour_votes`, which the scales were fitted with; a test compares them.
    """
    # Plain numbers: for a dozen diagnoses numpy's calls take longer than their work.
    by_count, by_weight = dict.fromkeys(collection, 0), dict.fromkeys(collection, 0.0)
    for case, _, weight in nearest:
        if (diagnosis := case.diagnosis) is not None:
            by_count[diagnosis] = by_count.get(diagnosis, 0) + 1
            counted = weight * evidence.get(case.evidence or "", 1.0)
            by_weight[diagnosis] = by_weight.get(diagnosis, 0.0) + counted
    diagnoses = sorted(by_count)
    counts = [by_count[diagnosis] for diagnosis in diagnoses]
    votes = [by_weight[diagnosis] for diagnosis in diagnoses] if any(by_weight.values()) else counts
    shares = _normalised(votes)
    prior = [max(1, collection.get(diagnosis, 0)) for diagnosis in diagnoses]
    adjusted = _normalised([share / cases for share, cases in zip(shares, prior, strict=True)])
    return Votes(diagnoses, counts, shares, adjusted, agreement=max(shares, default=0.0))


def probabilities(shares: Sequence[float], agreement: float, scale: VoteScale) -> list[float]:
    """Calibrated probabilities of shares [C], summing to 1; the formula is in `VoteScale`."""
    power, smoothing = 1 / scale.temperature, scale.smoothing * math.exp(-scale.decay * agreement)
    return _normalised([(share + smoothing) ** power for share in shares])


def _normalised(values: Sequence[float]) -> list[float]:
    """`values` divided by their sum, all 0 where that is 0."""
    total = sum(values) or 1.0
    return [min(1.0, value / total) for value in values]


def _conformal(diagnoses: Sequence[str], adjusted: Sequence[float], least: Mapping[str, float]) -> list[str]:
    """Diagnoses with a score of at least their threshold, highest first.

    One that the calibration has no threshold for cannot be excluded.
    """
    ranked = sorted(zip(diagnoses, adjusted, strict=True), key=lambda one: -one[1])
    return [diagnosis for diagnosis, probability in ranked if probability >= least.get(diagnosis, 0.0)]


def _diagnosis_shares(votes: Votes, raw: Sequence[float], adjusted: Sequence[float]) -> list[DiagnosisShare]:
    """Diagnoses with a vote, or with a probability where anybody voted; largest share first."""
    voted = any(votes.counts)
    shares = [
        DiagnosisShare(diagnosis=diagnosis, count=count, share=share, corrected=after)
        for diagnosis, count, share, after in zip(votes.diagnoses, votes.counts, raw, adjusted, strict=True)
        if count or (share and voted)
    ]
    return sorted(shares, key=lambda one: (-one.share, -one.count, one.diagnosis))
