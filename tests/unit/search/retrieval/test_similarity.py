"""Similarity of matches and weights of votes, against values worked out by hand."""

from typing import Any

import numpy as np
import pytest

from casekin.contracts.bundle import BundleManifest, CalibrationPoint, SimilarityModel, Tail
from casekin.contracts.cases import Case
from casekin.contracts.neighbours import DiagnosisShare, NeighbourStatistics
from services.search.retrieval.similarity import Similarity
from services.search.vector_store.named_vectors import Metric
from tests.integration.search.made import manifest

MADE = manifest()  # visual: 0.9 at 0 to 0.4 at 5; clinical: 0.95 to 0.4
VISUAL = Metric("visual", np.ones(4))
COLLECTION = {"nv": 80, "mel": 20}
FAR = Tail(beyond=6.0, excess=0.5)
MODEL = SimilarityModel(constant=-0.5, votes=0.8, nearness=0.5, added={"diagnosis": {"mel": -1.0, "nv": 0.25}}, far=FAR)
KNOWN = SimilarityModel(
    constant=0.125,
    votes=0.8,
    nearness=0.5,
    added={"diagnosis": {"mel": -1.0, "nv": 0.5}, "evidence": {"follow_up": 0.75}, "source": {"molemax": 0.5}},
    far=FAR,
)


def calibrated(*models: SimilarityModel) -> BundleManifest:
    """With models of similarity, and curves of two diagnoses that end at their shares of the collection."""
    assert MADE.neighbours is not None
    update = {"similarity": list(models or (KNOWN, MODEL))}
    presets = {name: votes.model_copy(update=update) for name, votes in MADE.neighbours.presets.items()}
    ends = {"nv": (0.9, 0.8), "mel": (0.7, 0.2)}
    curves = {
        code: [CalibrationPoint(distance=0, share=near), CalibrationPoint(distance=10, share=far)]
        for code, (near, far) in ends.items()
    }
    neighbours = MADE.neighbours.model_copy(update={"presets": presets})
    by_diagnosis = {"visual": curves, "clinical": curves}
    return MADE.model_copy(update={"neighbours": neighbours, "similarity_by_diagnosis": by_diagnosis})


def statistics(uncalibrated: str | None = None, **shares: float) -> NeighbourStatistics:
    diagnoses = [DiagnosisShare(diagnosis=code, count=1, share=share, corrected=0) for code, share in shares.items()]
    return NeighbourStatistics(
        neighbours=16,
        diagnoses=diagnoses,
        agreement=max(shares.values(), default=0),
        conformal=None,
        out_of_distribution=None,
        uncalibrated=uncalibrated,
    )


VOTES = statistics(nv=0.7, mel=0.3)
FILTERED = statistics("filters change who the neighbours are", nv=0.7, mel=0.3)


def stated(case: Case, distance: float, near: NeighbourStatistics = VOTES, made: BundleManifest | None = None) -> float:
    similarity = Similarity(made or calibrated())
    [found] = similarity.of(VISUAL, [case], np.array([distance]), near, COLLECTION)
    return found


def case(diagnosis: str | None = None, **more: Any) -> Case:
    return Case(id="a", diagnosis=diagnosis, **more)


def expected(*added: float, votes: float, curve: float) -> float:
    odds = np.exp(sum(added)) * (votes / (1 - votes)) ** 0.8 * (curve / (1 - curve)) ** 0.5
    return float(odds / (1 + odds))


def test_similarity__follows_its_formula() -> None:
    assert stated(case("nv"), 1) == pytest.approx(expected(-0.5, 0.25, votes=0.7, curve=0.8))
    assert stated(case("mel"), 4) == pytest.approx(expected(-0.5, -1, votes=0.3, curve=0.5))


def test_similarity__of_a_match_with_evidence_and_source_takes_them_into_account() -> None:
    proven = case("nv", evidence="follow_up", source="molemax")
    assert stated(proven, 1) == pytest.approx(expected(0.125, 0.5, 0.75, 0.5, votes=0.7, curve=0.8))


@pytest.mark.parametrize(
    "more", [{}, {"evidence": "hearsay", "source": "elsewhere"}, {"evidence": "follow_up"}, {"source": "molemax"}]
)
def test_similarity__of_a_match_whose_evidence_or_source_was_not_calibrated_is_without_both(
    more: dict[str, str],
) -> None:
    assert stated(case("nv", **more), 1) == pytest.approx(expected(-0.5, 0.25, votes=0.7, curve=0.8))


def test_similarity__of_a_bundle_calibrated_without_sources_is_by_diagnosis_and_votes() -> None:
    proven = case("nv", evidence="follow_up", source="molemax")
    found = stated(proven, 1, made=calibrated(MODEL))
    assert found == pytest.approx(expected(-0.5, 0.25, votes=0.7, curve=0.8))


def test_similarity__of_matches_by_several_models_comes_in_their_order() -> None:
    cases = [case("nv"), case("nv", evidence="follow_up", source="molemax"), case(), case("mel")]
    together = Similarity(calibrated()).of(VISUAL, cases, np.array([1.0, 2, 3, 4]), VOTES, COLLECTION)
    assert together == pytest.approx([stated(one, distance) for one, distance in zip(cases, (1, 2, 3, 4), strict=True)])


def test_similarity__differs_by_the_diagnosis_of_the_match_at_one_distance() -> None:
    assert stated(case("nv"), 1) > 0.7
    assert stated(case("mel"), 1) < 0.3


def test_similarity__of_a_diagnosis_without_a_vote_is_near_0() -> None:
    assert stated(case("mel"), 1, statistics(nv=1.0, mel=0.0)) < 0.01


@pytest.mark.parametrize("code", ["nv", "mel"])
@pytest.mark.parametrize("near", [VOTES, FILTERED, statistics(nv=0.05, mel=0.95)])
def test_similarity__falls_with_distance(code: str, near: NeighbourStatistics) -> None:
    similarities = [stated(case(code), distance, near) for distance in (0, 0.5, 1, 2, 4, 5, 6, 6.5, 8, 20, 1e6)]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] > similarities[-1]


def test_similarity__of_a_far_match_tends_to_its_diagnosis_s_share_of_the_collection() -> None:
    agreed = statistics(nv=0.05, mel=0.95)
    assert stated(case("mel"), 5, agreed) > 0.6
    beyond, prior = stated(case("mel"), 6, agreed), 0.2
    # Beyond 6 the excess over the prior shrinks by e for each 0.5.
    assert stated(case("mel"), 6.5, agreed) == pytest.approx(prior + (beyond - prior) / np.e)
    assert stated(case("mel"), 50, agreed) == pytest.approx(0.2)
    assert stated(case("mel"), 50, FILTERED) == pytest.approx(0.2)
    assert stated(case("mel"), 50, VOTES) < 0.2, "neighbours of other diagnoses say less than the prior"


def test_similarity__where_neighbours_are_not_calibrated_is_by_diagnosis_and_distance() -> None:
    assert stated(case("nv"), 5, FILTERED) == pytest.approx(0.85)
    assert stated(case("mel"), 5, FILTERED) == pytest.approx(0.45)


@pytest.mark.parametrize("near", [VOTES, FILTERED])
@pytest.mark.parametrize("diagnosis", [None, "never calibrated"])
def test_similarity__of_an_unknown_diagnosis_is_the_mean_by_distance(
    diagnosis: str | None, near: NeighbourStatistics
) -> None:
    if diagnosis is None or near is FILTERED:
        assert stated(case(diagnosis), 5, near) == pytest.approx(0.8 * 0.85 + 0.2 * 0.45)
    else:  # its votes are known, here none
        assert stated(case(diagnosis), 5, near) < 0.01


def test_similarity__under_own_weights_is_by_diagnosis_and_lies_between_the_presets() -> None:
    similarity = Similarity(calibrated())
    own = Metric("weighted", np.full(4, 16.0))
    found = similarity.of(own, [case("nv"), case("mel")], np.array([20.0, 20.0]), FILTERED, COLLECTION)
    assert found == pytest.approx([0.85, 0.45])  # at 20 / 4


@pytest.mark.parametrize("near", [VOTES, FILTERED])
def test_similarity__of_a_bundle_of_before_is_the_curve(near: NeighbourStatistics) -> None:
    for code in ("nv", "mel", None):
        assert stated(case(code), 2.5, near, MADE) == pytest.approx(0.65)


def test_similarity__of_no_matches_and_of_an_empty_collection() -> None:
    similarity = Similarity(calibrated())
    assert similarity.of(VISUAL, [], np.empty(0), VOTES, COLLECTION) == []
    assert similarity.of(VISUAL, [case()], np.array([5.0]), statistics(), {}) == pytest.approx([0.65])


def test_vote_weight__is_linear_between_points_and_level_beyond() -> None:
    weights = Similarity(MADE)
    np.testing.assert_allclose(weights.vote_weights(VISUAL, np.array([0, 1, 2.5, 5, 99])), [0.9, 0.8, 0.65, 0.4, 0.4])
    clinical = Metric("clinical", np.array(MADE.clinical_weights))
    np.testing.assert_allclose(weights.vote_weights(clinical, np.array([0, 2.5])), [0.95, 0.675])


@pytest.mark.parametrize("factor", [0.25, 1.0, 16.0])
def test_vote_weight__of_own_weights_ignores_their_scale(factor: float) -> None:
    metric = Metric("weighted", np.full(4, factor))
    distance = 2.5 * factor**0.5
    np.testing.assert_allclose(Similarity(MADE).vote_weights(metric, np.array([distance])), [0.65])


@pytest.mark.parametrize("factor", [0.25, 1.0, 16.0])
def test_vote_weight__of_own_weights_equal_to_a_preset_is_the_presets(factor: float) -> None:
    clinical = np.array(MADE.clinical_weights)
    own = Metric("weighted", factor * clinical)
    distances = np.array([0.5, 2.5, 4.0])
    of_preset = Similarity(MADE).vote_weights(Metric("clinical", clinical), distances * (4 / clinical.sum()) ** 0.5)
    np.testing.assert_allclose(Similarity(MADE).vote_weights(own, distances * factor**0.5), of_preset)


def test_vote_weight__of_own_weights_half_way_lies_half_way() -> None:
    clinical = np.array(MADE.clinical_weights) * 4 / sum(MADE.clinical_weights)
    half = Metric("weighted", (clinical + 1) / 2)
    np.testing.assert_allclose(Similarity(MADE).vote_weights(half, np.array([0.0, 2.5])), [0.925, 0.6625])


def test_vote_weight__of_own_weights_nearer_to_a_preset_is_nearer_to_its_curve() -> None:
    clinical = np.array(MADE.clinical_weights) * 4 / sum(MADE.clinical_weights)
    quarter = Metric("weighted", 3 * (0.75 + 0.25 * clinical))
    at_zero = Similarity(MADE).vote_weights(quarter, np.array([0.0]))
    assert at_zero == pytest.approx([0.9125])


def test_vote_weight__of_own_weights_where_the_presets_are_equal() -> None:
    made = manifest(clinical=[1.0] * 4)
    assert Similarity(made).vote_weights(Metric("weighted", np.ones(4)), np.array([0.0])) == pytest.approx([0.9])


def test_vote_weight__of_a_bundle_whose_clinical_weights_are_all_zero() -> None:
    made = manifest(clinical=[0.0] * 4)
    assert Similarity(made).vote_weights(Metric("weighted", np.ones(4)), np.array([0.0])) == pytest.approx([0.9])
