"""What the benchmark of neighbours computes by itself, against closed forms and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.neighbours import Flag, Predictions, auroc, calibration_figures
from benchmarks.similarity_gaps import gaps, largest
from casekin.contracts.bundle import OutOfDistributionScale, Tail
from training.evaluation.retrieval import Labelled


def test_auroc__agrees_with_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(0)
    usual, odd = random.integers(0, 6, 80).astype(float), random.integers(2, 9, 50).astype(float)
    truth = np.concatenate([np.zeros(80), np.ones(50)])
    assert auroc(usual, odd) == pytest.approx(roc_auc_score(truth, np.concatenate([usual, odd])))


def _predictions(corrected: np.ndarray, labels: np.ndarray, admitted: np.ndarray) -> Predictions:
    matches = np.tile(np.arange(1.0, 3.0), (len(labels), 1))
    agrees = np.array([[True, False]] * len(labels))
    rows = np.arange(len(labels))
    similarity = np.full_like(matches, 0.75)
    return Predictions(labels, corrected, corrected, admitted, matches, similarity, agrees, rows, matches.astype(int))


def test_calibration_figures__agree_with_a_count_by_hand() -> None:
    labels = np.array([0, 0, 0, 1])
    corrected = np.array([[0.95, 0.05], [0.95, 0.05], [0.05, 0.95], [0.05, 0.95]])
    admitted = np.array([[True, False], [True, True], [False, True], [False, True]])
    found = calibration_figures(_predictions(corrected, labels, admitted), 2)
    assert found["coverage"] == 0.75
    assert found["coverage_lowest"] == pytest.approx(2 / 3)
    assert found["set_size"] == 1.25
    # All four state 0.95; of the first diagnosis two in three are right, of the second all: alike, 5 in 6.
    assert found["ece_corrected"] == pytest.approx(0.95 - 5 / 6)
    assert found["ece_plain"] == pytest.approx(0.95 - 3 / 4)
    # The nearer half of the matches agrees always where 0.75 is stated, the farther half never.
    assert found["similarity_gap"] == pytest.approx(0.75)


def test_predictions__take_leaves_only_the_chosen_queries() -> None:
    found = _predictions(np.eye(2)[[0, 1, 1]], np.array([0, 1, 0]), np.ones((3, 2), bool))
    some = found.take(np.array([True, False, True]))
    assert some.labels.tolist() == [0, 0]
    assert some.corrected.tolist() == [[1, 0], [0, 1]]
    assert some.agrees.shape == some.matches.shape == (2, 2)
    assert some.queries.tolist() == [0, 2]


def test_gaps__of_groups_agree_with_means_by_hand_and_too_small_ones_are_left_out() -> None:
    stated = np.tile([0.9, 0.5, 0.3], (40, 1))
    agrees = np.tile([True, True, False], (40, 1))
    agrees[20:, 0] = False
    groups = np.tile(["mel", "nv", ""], (40, 1))
    groups[:10, 1] = "rare"
    found = gaps(stated, agrees, groups, [f"lesion {number // 2}" for number in range(40)])
    assert sorted(found) == ["mel", "nv"], "neither the unknown one nor one of ten queries"
    assert (found["mel"].stated, found["mel"].true) == (pytest.approx(0.9), 0.5)
    assert found["mel"].difference.value == pytest.approx(0.4)
    # Half of 20 lesions agree: the share drawn has a deviation of 0.5 / sqrt(20), so 95 % lie within twice that.
    half = (found["mel"].difference.high - found["mel"].difference.low) / 2
    assert half == pytest.approx(1.96 * 0.5 / 20**0.5, rel=0.15)
    assert found["nv"].difference.value == pytest.approx(-0.5)
    assert largest(found) == pytest.approx(0.5)
    assert largest({}) == 0


def test_flag__rises_with_distance_to_the_nearest_lesions_and_with_the_image_s_own_measures() -> None:
    scale = OutOfDistributionScale(
        upper={"neighbour_distance": Tail(beyond=2, excess=0.5), "sharpness": Tail(beyond=1, excess=1)},
        lower={},
        latent_limit=1,
        image_limit=1,
    )
    gallery = Labelled(np.array([[0.0], [1.0], [50.0]]), np.array([0, 1, 1]), ["a", "b", "c"])
    flag = Flag(scale, gallery, np.ones(1), depth=2)
    latents = np.array([[0.5], [4.0], [0.5]])
    scores = flag.without(gallery, latents, {"sharpness": np.array([0.0, 0.0, 4.0])})
    np.testing.assert_allclose(scores, [0, (3.5 - 2) / 0.5, 3])
    assert (scores > flag.limit).tolist() == [False, True, True]
