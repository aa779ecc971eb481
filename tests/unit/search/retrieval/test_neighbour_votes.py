"""What neighbours say together, against values worked out by hand; and nothing is promised that was not measured."""

from typing import Any

import numpy as np
import pytest

from casekin.contracts.bundle import BundleManifest, VoteScale
from casekin.contracts.cases import Case
from casekin.contracts.conditions import Between
from casekin.contracts.neighbours import NeighbourStatistics
from casekin.contracts.search import Example, SearchRequest
from services.search.retrieval.neighbour_votes import NeighbourVoting, cast_votes, probabilities
from services.search.retrieval.results import Neighbour
from tests.integration.search.made import manifest

COLLECTION = {"nv": 80, "mel": 20}
IMAGES = np.zeros((1, 4))


def match(diagnosis: str | None, similarity: float, evidence: str | None = None, distance: float = 1) -> Neighbour:
    case = Case(id="a", diagnosis=diagnosis, evidence=evidence)
    return Neighbour(case, distance, similarity)


def request(**more: Any) -> SearchRequest:
    return SearchRequest.model_validate({"bundle_version": "made-1", "latents": [[0] * 4], **more})


def bare() -> BundleManifest:
    return manifest().model_copy(update={"neighbours": None})


def read(near: list[Neighbour], made: BundleManifest, evidence: dict[str, float] | None = None) -> NeighbourStatistics:
    return NeighbourVoting(made).statistics(near, request(), IMAGES, COLLECTION, evidence or {})


def test_votes__weigh_by_similarity_and_evidence_and_are_corrected_by_prior() -> None:
    near = [match("nv", 0.6), match("nv", 0.4, "consensus"), match("mel", 0.8), match(None, 0.9)]
    told = read(near, bare(), {"consensus": 0.5})
    assert told.neighbours == 4
    assert [(d.diagnosis, d.count) for d in told.diagnoses] == [("nv", 2), ("mel", 1)]
    assert [d.share for d in told.diagnoses] == pytest.approx([0.5, 0.5])
    assert [d.corrected for d in told.diagnoses] == pytest.approx([0.2, 0.8])  # 0.5/80 against 0.5/20
    assert told.agreement == pytest.approx(0.5)


def test_votes__without_similarity_count_alike() -> None:
    told = read([match("nv", 0), match("nv", 0), match("mel", 0)], bare())
    assert [d.share for d in told.diagnoses] == pytest.approx([2 / 3, 1 / 3])


def test_votes__of_nobody_are_none() -> None:
    for near in ([], [match(None, 0.5)]):
        told = read(near, bare())
        assert (told.diagnoses, told.agreement) == ([], 0)


def test_uncalibrated__promises_nothing_and_says_why() -> None:
    told = read([match("nv", 1)] * 16, bare())
    assert told.uncalibrated == "bundle made-1 holds no calibration of neighbours"
    assert (told.conformal, told.out_of_distribution) == (None, None)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"preset": "custom", "weights": [1.0] * 4}, "own weights"),
        ({"filters": [Between(low=1)]}, "filters change"),
        ({"examples": [Example(case="a", weight=1)]}, "examples move"),
        ({"latents": [[0] * 4, [1] * 4]}, "several images"),
        ({"one_per_lesion": False}, "one case a lesion"),
    ],
)
def test_uncalibrated__is_every_search_that_was_not_measured(more: dict[str, Any], why: str) -> None:
    reader = NeighbourVoting(manifest())
    near = [match("nv", 1)] * 16
    told = reader.statistics(near, request(**more), IMAGES, COLLECTION, {})
    assert why in str(told.uncalibrated)
    assert (told.conformal, told.out_of_distribution) == (None, None)
    assert "15 cases were found" in str(reader.statistics(near[1:], request(), IMAGES, COLLECTION, {}).uncalibrated)
    assert reader.statistics(near, request(), IMAGES, COLLECTION, {}).uncalibrated is None


def test_calibrated__shares_follow_the_scale_and_the_set_its_thresholds() -> None:
    # of the example: smoothing 0.05 and 0.4, decay 1 and 5, temperature 0.8 and 1.5; in the set mel from 0.2, nv 0.35
    told = read([match("nv", 0.51)] * 14 + [match("mel", 0.51)] * 2, manifest())
    plain = (np.array([0.875, 0.125]) + 0.05 * np.exp(-0.875)) ** (1 / 0.8)
    by_prior = np.array([0.875 / 0.8, 0.125 / 0.2])
    corrected = (by_prior / by_prior.sum() + 0.4 * np.exp(-5 * 0.875)) ** (1 / 1.5)
    assert [d.share for d in told.diagnoses] == pytest.approx(plain / plain.sum())
    assert [d.corrected for d in told.diagnoses] == pytest.approx(corrected / corrected.sum())
    assert told.conformal is not None
    assert (told.conformal.coverage, told.conformal.diagnoses) == (0.9, ["nv", "mel"])
    alone = read([match("nv", 1)] * 16, manifest())
    assert [(d.diagnosis, d.count) for d in alone.diagnoses] == [("nv", 16), ("mel", 0)]
    assert alone.conformal is not None
    assert alone.conformal.diagnoses == ["nv"]


def test_calibrated__less_is_held_back_for_a_diagnosis_without_a_vote_the_more_the_neighbours_agree() -> None:
    reader, collection = NeighbourVoting(manifest()), {"nv": 60, "mel": 20, "df": 20}
    held_back = [
        next(
            one.corrected
            for one in reader.statistics(
                [match("nv", 0.9)] * count + [match("mel", 0.9)] * (16 - count), request(), IMAGES, collection, {}
            ).diagnoses
            if one.diagnosis == "df"
        )
        for count in (16, 14, 8)
    ]
    assert held_back[0] < held_back[1] < held_back[2]


def test_calibrated__a_diagnosis_that_it_never_met_cannot_be_excluded() -> None:
    reader = NeighbourVoting(manifest())
    told = reader.statistics([match("nv", 1)] * 16, request(), IMAGES, {"nv": 80, "rare": 5}, {})
    assert told.conformal is not None
    assert told.conformal.diagnoses == ["nv", "rare"]


@pytest.mark.parametrize(
    ("more", "found", "why"),
    [
        (
            {"preset": "custom", "weights": [1.0] * 4, "filters": [Between(low=1)]},
            16,
            "own weights were not calibrated; the presets are",
        ),
        (
            {"filters": [Between(low=1)], "examples": [Example(case="a", weight=1)]},
            16,
            "filters change who the neighbours are; without them shares are calibrated",
        ),
        ({"examples": [Example(case="a", weight=1)]}, 16, "examples move the search away from the image"),
        ({"latents": [[0] * 4, [1] * 4]}, 16, "several images were not calibrated together; one alone is"),
        ({"one_per_lesion": False}, 15, "calibrated is one case a lesion"),
        ({}, 15, "15 cases were found; 16 neighbours are calibrated"),
        ({}, 17, None),
    ],
)
def test_uncalibrated__names_the_first_reason(more: dict[str, Any], found: int, why: str | None) -> None:
    voting = NeighbourVoting(manifest())
    told = voting.statistics([match("nv", 1)] * found, request(**more), IMAGES, COLLECTION, {})
    assert (told.uncalibrated, told.neighbours) == (why, found)
    assert (told.conformal is None, told.out_of_distribution is None) == (why is not None, why is not None)


def test_count__of_neighbours_is_the_calibrations_or_sixteen() -> None:
    assert NeighbourVoting(bare()).count == 16
    made = manifest()
    assert made.neighbours is not None
    seven = made.model_copy(update={"neighbours": made.neighbours.model_copy(update={"neighbours": 7})})
    assert NeighbourVoting(seven).count == 7


def test_calibration__is_that_of_the_preset() -> None:
    made = manifest()
    assert made.neighbours is not None
    presets = dict(made.neighbours.presets)
    presets["visual"] = presets["visual"].model_copy(update={"conformal": {"nv": 2.0, "mel": 0.0}})
    changed = made.model_copy(update={"neighbours": made.neighbours.model_copy(update={"presets": presets})})
    near = [match("nv", 1)] * 16
    sets = [
        NeighbourVoting(changed).statistics(near, request(preset=preset), IMAGES, COLLECTION, {}).conformal
        for preset in ("visual", "clinical")
    ]
    assert [one.diagnoses if one else None for one in sets] == [["mel"], ["nv"]]


def test_conformal_set__holds_a_diagnosis_at_its_threshold_and_none_below() -> None:
    made = manifest()
    assert made.neighbours is not None
    near = [match("nv", 1)] * 8 + [match("mel", 1)] * 8
    told = NeighbourVoting(made).statistics(near, request(), IMAGES, {"nv": 50, "mel": 50}, {})
    share = {one.diagnosis: one.corrected for one in told.diagnoses}
    for above, expected in ((0.0, ["mel", "nv"]), (1e-9, ["nv"])):
        preset = made.neighbours.presets["clinical"].model_copy(
            update={"conformal": {"mel": share["mel"] + above, "nv": 0.0}}
        )
        calibration = made.neighbours.model_copy(update={"presets": {"visual": preset, "clinical": preset}})
        voting = NeighbourVoting(made.model_copy(update={"neighbours": calibration}))
        found = voting.statistics(near, request(), IMAGES, {"nv": 50, "mel": 50}, {}).conformal
        assert found is not None
        assert sorted(found.diagnoses) == expected


def test_out_of_distribution__is_of_these_distances_latents_and_image() -> None:
    voting = NeighbourVoting(manifest())
    near = [match("nv", 1, distance=4 + number / 8) for number in range(16)]
    image = {"reconstruction_error": 0.022, "sharpness": 1, "brightness": 0.6}
    told = voting.statistics(near, request(image=image), np.array([[0, 0, -4.3, 0]]), COLLECTION, {})
    assert told.out_of_distribution is not None
    # beyond 4.0 by 0.9375 of 0.5, beyond 3.1 by 1.2 of 0.6, beyond 0.012 by 0.01 of 0.005
    assert told.out_of_distribution.score == pytest.approx(1.875 + 2 + 2)
    assert told.out_of_distribution.limit == 5.2


def test_votes__of_equal_share_are_ordered_by_count_and_name() -> None:
    near = [match("c", 0.5), match("b", 0.25), match("b", 0.25), match("a", 0.5)]
    told = NeighbourVoting(bare()).statistics(near, request(), IMAGES, {}, {})
    assert [one.diagnosis for one in told.diagnoses] == ["b", "a", "c"]
    assert told.agreement == pytest.approx(1 / 3)


def test_votes__a_diagnosis_beyond_the_collection_counts_as_one_case() -> None:
    votes = cast_votes([match("nv", 1), match("new", 1)], {"nv": 4, "gone": 0}, {})
    assert votes.diagnoses == ["gone", "new", "nv"]
    assert votes.counts == [0, 1, 1]
    assert votes.shares == pytest.approx([0, 0.5, 0.5])
    assert votes.adjusted == pytest.approx([0, 0.8, 0.2])


def test_votes__weigh_by_evidence_where_it_is_known_and_named() -> None:
    near = [match("a", 1, "consensus"), match("b", 1, "histo"), match("c", 1)]
    votes = cast_votes(near, {}, {"consensus": 0.25, "": 0.0})
    assert votes.shares == pytest.approx([0.2, 0.8, 0.0])


def test_votes__of_no_weight_count_alike() -> None:
    votes = cast_votes([match("a", 1, "none"), match("b", 0), match("b", 0)], {}, {"none": 0.0})
    assert votes.shares == pytest.approx([1 / 3, 2 / 3])
    assert votes.agreement == pytest.approx(2 / 3)
    assert cast_votes([], {}, {}).agreement == 0


@pytest.mark.parametrize(
    ("shares", "agreement", "scale", "expected"),
    [
        ([0.75, 0.25], 0.0, VoteScale(smoothing=0, decay=3, temperature=1), [0.75, 0.25]),
        ([0.75, 0.25], 0.0, VoteScale(smoothing=0.25, decay=3, temperature=1), [2 / 3, 1 / 3]),
        ([0.75, 0.25], 1.0, VoteScale(smoothing=0.25 * np.e**2, decay=2, temperature=1), [2 / 3, 1 / 3]),
        ([0.9, 0.1], 0.5, VoteScale(smoothing=0, decay=0, temperature=0.5), [0.81 / 0.82, 0.01 / 0.82]),
        ([0.0, 0.0], 0.5, VoteScale(smoothing=0, decay=0, temperature=1), [0, 0]),
        ([], 0.0, VoteScale(smoothing=1, decay=0, temperature=1), []),
    ],
)
def test_probabilities__follow_their_formula(
    shares: list[float], agreement: float, scale: VoteScale, expected: list[float]
) -> None:
    assert probabilities(shares, agreement, scale) == pytest.approx(expected)
