"""What neighbours say together, against values worked out by hand; and nothing is promised that was not measured."""

from typing import Any

import numpy as np
import pytest

from casekin.contracts.bundle import BundleManifest, OutOfDistributionScale, Tail
from casekin.contracts.conditions import Between
from casekin.contracts.neighbours import ImageMeasures, NeighbourStatistics
from casekin.contracts.search import Case, Example, SearchRequest
from services.search.retrieval.neighbour_votes import NeighbourVoting
from services.search.retrieval.out_of_distribution import score_query
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


SCALE = OutOfDistributionScale(
    upper={
        "neighbour_distance": Tail(beyond=4, excess=0.5),
        "extreme_coordinate": Tail(beyond=3, excess=1),
        "brightness": Tail(beyond=0.75, excess=0.05),
    },
    lower={"brightness": Tail(beyond=0.5, excess=0.1)},
    latent_limit=3,
    image_limit=4,
)


def test_out_of_distribution__adds_what_lies_beyond_the_tails_and_names_it() -> None:
    told = score_query([6.0] * 16, np.array([[0.0, -3.5]]), None, SCALE)
    assert told.score == pytest.approx(2 / 0.5 + 0.5)
    assert (told.limit, told.is_out_of_distribution) == (3, True)
    assert told.reasons == [
        "Far from every case of the collection",
        "Further out in one dimension than the collection's cases",
    ]


def test_out_of_distribution__uses_the_image_where_it_was_measured() -> None:
    image = ImageMeasures(reconstruction_error=0.9, sharpness=1, brightness=0.05)
    told = score_query([1.0] * 16, np.zeros((1, 2)), image, SCALE)
    assert told.score == pytest.approx(4.5)
    assert (told.limit, told.reasons) == (4, ["Darker than the collection's images"])
    usual = score_query([1.0] * 16, np.zeros((1, 2)), None, SCALE)
    assert (usual.score, usual.is_out_of_distribution, usual.reasons) == (0, False, [])
