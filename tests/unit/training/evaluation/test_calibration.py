import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from casekin.contracts.bundle import CalibrationPoint
from tests.vocabularies import ham10000_vocabulary
from training.evaluation.calibration import divided_by_prior, of_similarity, reliability
from training.evaluation.neighbour_votes import MatchSimilarity
from training.evaluation.split import Split, Vectors


def _level(share: float) -> MatchSimilarity:
    """The same similarity at every distance, of a bundle without a model of it."""
    return MatchSimilarity([CalibrationPoint(distance=0, share=share)], None, [])


def _lesions(count: int) -> list[str]:
    return [f"lesion {i}" for i in range(count)]


def test_reliability__error_agrees_with_a_sum_by_hand() -> None:
    # Two statements of 0.95, one right; four of 0.55, all right.
    found = reliability("any", np.array([0.95] * 2 + [0.55] * 4), np.array([1, 0, 1, 1, 1, 1]), _lesions(6))
    assert found.error.value == pytest.approx(2 / 6 * abs(0.5 - 0.95) + 4 / 6 * abs(1 - 0.55))
    assert [one.count for one in found.bins] == [0, 0, 0, 0, 0, 4, 0, 0, 0, 2]
    assert found.bins[0].share is None
    assert (found.bins[9].confidence, found.bins[9].share) == (pytest.approx(0.95), 0.5)
    assert found.accuracy == pytest.approx(5 / 6)


def test_reliability__of_statements_that_come_true_as_often_as_said_is_near_zero() -> None:
    random = np.random.default_rng(0)
    said = random.random(20000)
    honest = reliability("honest", said, random.random(20000) < said, _lesions(20000))
    boastful = reliability("boastful", said, random.random(20000) < said**2, _lesions(20000))
    assert honest.error.value < 0.02
    # The mean of c - c^2 over c in 0..1 is 1/6.
    assert boastful.error.value == pytest.approx(1 / 6, abs=0.01)
    assert boastful.error.low < 1 / 6 < boastful.error.high


def test_reliability__bins_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    said = random.uniform(0.001, 1, 500)
    true = random.random(500) < said
    ours = [one for one in reliability("any", said, true, _lesions(500)).bins if one.count]
    share, confidence = calibration_curve(true, said, n_bins=10)
    np.testing.assert_allclose([one.share for one in ours], share)
    np.testing.assert_allclose([one.confidence for one in ours], confidence)


def test_reliability__puts_both_ends_into_bins() -> None:
    found = reliability("ends", np.array([0.0, 0.1, 1.0]), np.array([0, 0, 1]), _lesions(3))
    assert [one.count for one in found.bins] == [2, *[0] * 8, 1]
    assert found.error.value == pytest.approx(0.1 / 3)


def test_divided_by_prior__undoes_bayes() -> None:
    likelihood, prior = np.array([0.2, 0.6]), np.array([0.9, 0.1])
    posterior = (likelihood * prior / (likelihood * prior).sum())[None]
    np.testing.assert_allclose(divided_by_prior(posterior, prior), [[0.25, 0.75]])


def test_of_similarity__tells_a_curve_that_holds_from_one_that_boasts(case) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(2)
    cases = [case(i, fold=int(i >= 60), diagnosis="mel" if i % 2 else "nv") for i in range(360)]
    # No dimension knows the diagnosis: half of all matches share it at any distance.
    vectors = Vectors("chance", random.normal(size=(360, 3)), np.ones(3))
    split = Split(cases, ham10000_vocabulary("mel", "nv"), (0,))
    true = of_similarity(split, vectors, _level(0.5))
    boast = of_similarity(split, vectors, _level(0.9))
    assert sum(one.count for one in true.bins) == 60 * 16
    assert true.error.value < 0.05
    assert boast.error.value == pytest.approx(0.4, abs=0.05)


def test_of_similarity__counts_the_nearest_lesions_not_the_images_of_one(case) -> None:  # type: ignore[no-untyped-def]
    # One near lesion of twenty images agrees, fifteen farther ones do not.
    near = [case(i, lesion="near") for i in range(1, 21)]
    far = [case(i, diagnosis="mel") for i in range(21, 36)]
    latents = np.concatenate([[0.0], np.linspace(1, 2, 20), np.linspace(3, 4, 15)])[:, None]
    split = Split([case(0, fold=0), *near, *far], ham10000_vocabulary("mel", "nv"), (0,))
    found = of_similarity(split, Vectors("v", latents, np.ones(1)), _level(0.5))
    assert sum(one.count for one in found.bins) == 16
    assert found.accuracy == pytest.approx(1 / 16)
