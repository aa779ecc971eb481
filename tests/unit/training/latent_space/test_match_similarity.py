"""Similarity is right for each group of matches, and search states what was fitted."""

from dataclasses import replace

import numpy as np
import pytest

from casekin.contracts.bundle import BundleManifest, CalibrationPoint
from casekin.contracts.cases import Case
from casekin.contracts.neighbours import ImageMeasures
from casekin.contracts.search import SearchRequest
from services.search.retrieval.neighbour_votes import NeighbourVoting
from services.search.retrieval.results import Neighbour
from services.search.retrieval.similarity import Similarity
from services.search.vector_store.named_vectors import Metric
from tests.integration.search.made import manifest
from training.evaluation.neighbour_votes import CaseDetails, Matches, MatchSimilarity, state_similarity
from training.evaluation.retrieval import Labelled, nearest_lesions
from training.latent_space.clinical_metric import calibrate, calibrate_by_diagnosis
from training.latent_space.match_similarity import fit_similarities, fit_similarity
from training.latent_space.vote_calibration import calibrate_neighbours

CLASSES = ["a", "b", "c"]
ONES = np.ones(4)
LEVEL = [CalibrationPoint(distance=0, share=0.7), CalibrationPoint(distance=10, share=0.3)]


def cases(count: int, seed: int, prefix: str) -> tuple[Labelled, CaseDetails]:
    """A common and two rarer diagnoses; half come from a source whose images all look alike and are all common."""
    random = np.random.default_rng(seed)
    easy = random.random(count) < 0.5
    labels = np.where(easy, 0, random.choice(3, count, p=[0.4, 0.35, 0.25]))
    latents = random.normal(size=(count, 4))
    latents[:, 0] += 1.2 * (labels == 1)
    latents[:, 1] += 1.8 * (labels == 2)
    latents[:, 2] -= 3 * easy
    source = np.where(easy, "easy", "hard")
    details = CaseDetails(np.ones(count), {"evidence": np.full(count, ""), "source": source})
    return Labelled(latents, labels, [f"{prefix}{number}" for number in range(count)]), details


(GALLERY, DETAILS), (VALIDATION, _) = cases(2000, 0, "g"), cases(1200, 1, "v")
TEST, TEST_DETAILS = cases(1500, 2, "t")
CURVE = calibrate(VALIDATION, GALLERY, ONES)
DISTANCES, ROWS = nearest_lesions(TEST, GALLERY, ONES, 16)
AGREES = GALLERY.labels[ROWS] == TEST.labels[:, None]


def calibrated(details: CaseDetails | None) -> BundleManifest:
    """The bundle of a calibration on the validation cases."""
    measures = {name: np.ones(len(VALIDATION.labels)) for name in ImageMeasures.model_fields}
    curves = {"visual": CURVE, "clinical": CURVE}
    presets = {"visual": ONES, "clinical": ONES}
    neighbours = calibrate_neighbours(VALIDATION, GALLERY, presets, curves, CLASSES, measures, details)
    by_diagnosis = dict.fromkeys(presets, calibrate_by_diagnosis(VALIDATION, GALLERY, ONES, CLASSES))
    fields = {"similarity": curves, "similarity_by_diagnosis": by_diagnosis, "neighbours": neighbours}
    return manifest(clinical=[1.0] * 4).model_copy(update={"classes": CLASSES, **fields})


@pytest.fixture(scope="module")
def made() -> BundleManifest:
    return calibrated(DETAILS)


def stated_by(made: BundleManifest, details: CaseDetails = DETAILS) -> np.ndarray:
    assert made.neighbours is not None
    preset = MatchSimilarity(made.similarity["visual"], made.neighbours.presets["visual"], CLASSES)
    return preset.of(GALLERY, ROWS, DISTANCES, details)


def gap(stated: np.ndarray, group: np.ndarray) -> float:
    return float((stated - AGREES)[np.broadcast_to(group, AGREES.shape)].mean())


def test_similarity__is_right_for_every_diagnosis_of_the_match_where_the_curve_is_not(made: BundleManifest) -> None:
    by_diagnosis = [GALLERY.labels[ROWS] == label for label in range(3)]
    before = np.interp(DISTANCES, [p.distance for p in CURVE], [p.share for p in CURVE])
    assert max(abs(gap(before, group)) for group in by_diagnosis) > 0.15
    assert max(abs(gap(stated_by(made), group)) for group in by_diagnosis) < 0.08  # a tenth of 1,500 have the rarest


def test_similarity__is_right_for_the_source_of_the_match_and_of_the_query(made: BundleManifest) -> None:
    of_match, of_query = DETAILS.values["source"][ROWS] == "easy", (TEST_DETAILS.values["source"] == "easy")[:, None]
    for group in (of_match, ~of_match, of_query, ~of_query):
        assert abs(gap(stated_by(made), group)) < 0.05


def test_similarity__is_right_on_average_for_a_collection_without_sources(made: BundleManifest) -> None:
    without = calibrated(None)
    assert without.neighbours is not None
    [model] = without.neighbours.presets["visual"].similarity
    assert list(model.added) == ["diagnosis"]
    for bundle, details in ((without, DETAILS), (made, CaseDetails.unknown(len(GALLERY.labels)))):
        for label in range(3):
            assert abs(gap(stated_by(bundle, details), GALLERY.labels[ROWS] == label)) < 0.08


def test_similarity__sharpens_what_is_stated(made: BundleManifest) -> None:
    def surprise(stated: np.ndarray) -> float:
        return float(-np.log(np.where(AGREES, stated, 1 - stated)).mean())

    curve = np.interp(DISTANCES, [p.distance for p in CURVE], [p.share for p in CURVE])
    assert surprise(stated_by(made)) < surprise(curve) - 0.05


def test_similarity__is_what_search_states(made: BundleManifest) -> None:
    counts = {code: int(count) for code, count in zip(CLASSES, np.bincount(GALLERY.labels), strict=True)}
    voting, similarity, ours = NeighbourVoting(made), Similarity(made), stated_by(made)
    request = SearchRequest(bundle_version="made-1", latents=([0.0] * 4,), preset="visual")
    metric = Metric("visual", ONES)
    for query in range(3):
        near = [
            Case(id="x", diagnosis=CLASSES[GALLERY.labels[row]], source=DETAILS.values["source"][row])
            for row in ROWS[query]
        ]
        weights = similarity.vote_weights(metric, DISTANCES[query])
        voters = [Neighbour(*one) for one in zip(near, DISTANCES[query].tolist(), weights, strict=True)]
        statistics = voting.statistics(voters, request, TEST.latents[query][None], counts, {})
        assert statistics.uncalibrated is None
        theirs = similarity.of(metric, near, DISTANCES[query], statistics, counts)
        np.testing.assert_allclose(theirs, ours[query], atol=1e-9)


def made_up(count: int, seed: int, source: bool) -> tuple[Matches, np.ndarray]:
    """Matches that agree with log-odds 0.5 + 1.5 x those of the votes, + 1 in one source and -1 in the other."""
    random = np.random.default_rng(seed)
    votes, distances = random.uniform(0.05, 0.95, (count, 4)), random.uniform(0, 10, (count, 4))
    kinds = random.choice(["x", "y"], (count, 4))
    logits = 0.5 + 1.5 * np.log(votes / (1 - votes)) + (2 * (kinds == "x") - 1) * source
    agrees = random.random((count, 4)) < 1 / (1 + np.exp(-logits))
    values = {"diagnosis": np.full((count, 4), "a"), "source": kinds}
    return Matches(values, votes, distances, np.full((count, 4), 0.5)), agrees


def test_fit__finds_the_slope_the_constant_and_what_a_source_adds() -> None:
    matches, agrees = made_up(4000, 0, source=True)
    found = fit_similarity(matches, agrees, LEVEL, ["diagnosis", "source"])
    assert found.votes == pytest.approx(1.5, abs=0.08)
    in_both = [found.constant + found.added["diagnosis"]["a"] + found.added["source"][code] for code in ("x", "y")]
    assert in_both == pytest.approx([1.5, -0.5], abs=0.15)
    assert found.nearness < 0.1, "here distance says nothing"


def test_fit__makes_a_model_of_its_own_for_matches_without_a_source() -> None:
    matches, agrees = made_up(2000, 3, source=True)
    some = np.where(np.arange(2000)[:, None] % 2, "", matches.values["source"])
    partly = replace(matches, values={**matches.values, "source": some, "evidence": np.full_like(some, "")})
    models = fit_similarities(partly, agrees, LEVEL)
    assert [list(model.added) for model in models] == [["diagnosis", "source"], ["diagnosis"]]
    stated = state_similarity(models, partly, LEVEL)
    for group in (some == "x", some == "y"):
        assert stated[group].mean() == pytest.approx(agrees[group].mean(), abs=0.03)
    assert np.isfinite(stated).all()


def test_fit__never_lets_similarity_rise_with_distance() -> None:
    matches, _ = made_up(500, 1, source=False)
    farther_agrees = matches.distances > 5
    assert fit_similarity(matches, farther_agrees, LEVEL, ["diagnosis"]).nearness == 0


@pytest.mark.parametrize("agree", [True, False])
def test_fit__of_matches_that_all_agree_or_none_is_finite(agree: bool) -> None:
    matches, agrees = made_up(50, 2, source=False)
    stated = state_similarity(fit_similarities(matches, np.full_like(agrees, agree), LEVEL), matches, LEVEL)
    assert np.isfinite(stated).all()
    assert (stated.mean() > 0.9) == agree
