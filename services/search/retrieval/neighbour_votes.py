"""Which diagnoses the nearest cases have, as they are and corrected for how common each is; and what that promises."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from casekin.contracts.bundle import BundleManifest, VoteScale
from casekin.contracts.neighbours import ConformalSet, DiagnosisShare, NeighbourStatistics
from casekin.contracts.search import SearchRequest
from services.search.retrieval.out_of_distribution import judge
from services.search.retrieval.results import Neighbour

Floats = NDArray[np.float64]

_SHARES = TypeAdapter(list[DiagnosisShare])
NEIGHBOURS = 16
"""That have a say where the bundle does not tell how many (as in Tschandl et al., Br J Dermatol 2019)."""
AS_THEY_ARE = VoteScale(smoothing=0, decay=0, temperature=1)
"""Votes without a calibration."""


@dataclass(frozen=True)
class Votes:
    """Votes of the neighbours, by diagnosis."""

    diagnoses: list[str]
    """C, of the collection and of the neighbours."""
    counts: list[int]
    """[C]"""
    shares: list[float]
    """[C], weighted by similarity and evidence, summing to 1; all 0 without a vote."""
    corrected: list[float]
    """[C], shares divided by the diagnosis's share of the collection, summing to 1 again."""

    @property
    def agreement(self) -> float:
        """The largest share."""
        return min(1.0, max(self.shares, default=0.0))


class NeighbourReader:
    """Reads neighbours as the bundle's calibration says, or tells why it cannot."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._manifest = manifest
        self._calibration = manifest.neighbours
        self.count = self._calibration.neighbours if self._calibration else NEIGHBOURS
        """How many nearest cases have a vote."""

    def read(
        self,
        near: Sequence[Neighbour],
        request: SearchRequest,
        images: Floats,
        collection: Mapping[str, int],
        evidence: Mapping[str, float],
    ) -> NeighbourStatistics:
        """What `near`, the nearest cases, say of a query with latents `images` [M, D].

        `collection` counts each diagnosis in the whole collection, `evidence` is how much each kind of it counts.
        """
        votes = cast_votes(near, collection, evidence)
        why = self._uncalibrated(request, len(near))
        calibration = None
        if why is None and self._calibration is not None and request.preset != "custom":
            calibration = self._calibration.presets[request.preset]
        plain = probabilities(votes.shares, votes.agreement, calibration.plain if calibration else AS_THEY_ARE)
        after = calibration.corrected if calibration else AS_THEY_ARE
        corrected = probabilities(votes.corrected, votes.agreement, after)
        return NeighbourStatistics(
            neighbours=len(near),
            diagnoses=_SHARES.validate_python(_shares(votes, plain, corrected)),
            agreement=votes.agreement,
            conformal=self._set(votes, corrected, calibration.conformal) if calibration else None,
            strangeness=judge(near, images, request.image, calibration.strangeness) if calibration else None,
            uncalibrated=why,
        )

    def _set(self, votes: Votes, corrected: Sequence[float], least: Mapping[str, float]) -> ConformalSet:
        """Diagnoses whose corrected share is no smaller than what their own kind mostly has.

        One that the calibration never met cannot be excluded.
        """
        told = sorted(zip(votes.diagnoses, corrected, strict=True), key=lambda one: -one[1])
        kept = [diagnosis for diagnosis, share in told if share >= least.get(diagnosis, 0.0)]
        assert self._calibration is not None
        return ConformalSet(coverage=self._calibration.coverage, diagnoses=kept)

    def _uncalibrated(self, request: SearchRequest, found: int) -> str | None:
        if self._calibration is None:
            return f"bundle {self._manifest.version} holds no calibration of neighbours"
        reasons = {
            "own weights were not calibrated; the presets are": request.preset == "custom",
            "filters change who the neighbours are; without them shares are calibrated": bool(request.filters),
            "examples move the search away from the image": bool(request.examples),
            "several images were not calibrated together; one alone is": len(request.latents) > 1,
            "calibrated is one case a lesion": not request.one_per_lesion,
            f"{found} cases were found; {self.count} neighbours are calibrated": found < self.count,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)


def cast_votes(near: Sequence[Neighbour], collection: Mapping[str, int], evidence: Mapping[str, float]) -> Votes:
    """Each neighbour votes for its diagnosis with similarity times evidence; where all are 0, all count alike.

    As `training.latent_space.vote_calibration` reckons, which fitted the scales; a test holds them together.
    """
    # Plain numbers: for a dozen diagnoses numpy's calls take longer than their work.
    by_count, by_weight = dict.fromkeys(collection, 0), dict.fromkeys(collection, 0.0)
    for case, _, similarity in near:
        if (diagnosis := case.diagnosis) is not None:
            by_count[diagnosis] = by_count.get(diagnosis, 0) + 1
            weight = similarity * evidence.get(case.evidence or "", 1.0)
            by_weight[diagnosis] = by_weight.get(diagnosis, 0.0) + weight
    diagnoses = sorted(by_count)
    counts = [by_count[diagnosis] for diagnosis in diagnoses]
    votes = [by_weight[diagnosis] for diagnosis in diagnoses] if any(by_weight.values()) else counts
    total = sum(votes) or 1.0
    shares = [vote / total for vote in votes]
    prior = [max(1, collection.get(diagnosis, 0)) for diagnosis in diagnoses]
    divided = [share / cases for share, cases in zip(shares, prior, strict=True)]
    whole = sum(divided) or 1.0
    return Votes(diagnoses, counts, shares, [share / whole for share in divided])


def probabilities(shares: Sequence[float], agreement: float, scale: VoteScale) -> list[float]:
    """What a scale makes of shares [C], normalised to sum to 1; as training fitted it: see `VoteScale`."""
    power, smoothing = 1 / scale.temperature, scale.smoothing * math.exp(-scale.decay * agreement)
    powers = [(share + smoothing) ** power for share in shares]
    total = sum(powers) or 1.0
    return [one / total for one in powers]


def _shares(votes: Votes, plain: Sequence[float], corrected: Sequence[float]) -> list[dict[str, Any]]:
    """What becomes `DiagnosisShare`, largest share first."""
    voted = any(votes.counts)
    told = [
        {"diagnosis": diagnosis, "count": count, "share": min(1.0, share), "corrected": min(1.0, after)}
        for diagnosis, count, share, after in zip(votes.diagnoses, votes.counts, plain, corrected, strict=True)
        if count or (share and voted)
    ]
    return sorted(told, key=lambda one: (-one["share"], -one["count"], one["diagnosis"]))
