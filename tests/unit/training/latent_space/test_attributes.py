import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from casekin.errors import BadInput
from training.latent_space.attributes import (
    HeldOutScores,
    attribute_aucs,
    fold_wise_auc,
    group_folds,
    held_out_scores,
    permutation_p,
)
from training.models.ridge import cross_fitted

COUNT, DIMENSIONS = 400, 12


@pytest.fixture
def latents() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, DIMENSIONS))


@pytest.fixture
def groups() -> list[str]:
    return [f"lesion {number // 2}" for number in range(COUNT)]


def planted(latents: np.ndarray, along: np.ndarray, noise: float, rarest: float = 0.8) -> np.ndarray:
    seen = latents @ along + noise * np.random.default_rng(1).normal(size=len(latents))
    return (seen > np.quantile(seen, rarest)).astype(float)


def test_attribute_aucs__finds_a_planted_attribute_and_none_where_there_is_none(
    latents: np.ndarray, groups: list[str]
) -> None:
    along = np.random.default_rng(2).normal(size=DIMENSIONS)
    labels = {
        "planted": planted(latents, along, 1.0),
        "absent": np.random.default_rng(3).integers(2, size=COUNT),
    }
    found = attribute_aucs(latents, labels, groups)
    assert list(found) == ["planted", "absent"]
    assert found["planted"] > 0.9
    assert found["absent"] == pytest.approx(0.5, abs=0.07)


def test_attribute_aucs__of_many_dimensions_are_not_flattered(groups: list[str]) -> None:
    latents = np.random.default_rng(4).normal(size=(COUNT, 200))
    found = attribute_aucs(latents, {"absent": np.random.default_rng(5).integers(2, size=COUNT)}, groups)
    assert found["absent"] == pytest.approx(0.5, abs=0.08)


def test_attribute_aucs__cannot_recognise_the_lesion_by_its_other_image() -> None:
    """Both images of a lesion have the same latent, which says nothing of the attribute but for that lesion."""
    random = np.random.default_rng(6)
    latents = np.repeat(random.normal(size=(150, 200)), 2, 0)
    values = np.repeat(random.integers(2, size=150), 2)
    lesions = np.repeat([f"lesion {number}" for number in range(150)], 2)
    images = [f"image {number}" for number in range(300)]
    assert attribute_aucs(latents, {"any": values}, images)["any"] > 0.8
    assert attribute_aucs(latents, {"any": values}, lesions)["any"] < 0.65


def test_attribute_aucs__scores_only_images_that_the_encoder_was_not_trained_on(groups: list[str]) -> None:
    """The encoder shows its own training labels perfectly, and of other images nothing."""
    random = np.random.default_rng(7)
    values, held_out = random.integers(2, size=COUNT), group_folds(groups, seed=1) == 0
    latents = random.normal(size=(COUNT, 3))
    latents[~held_out, 0] = values[~held_out]
    everything = attribute_aucs(latents, {"memorised": values}, groups)["memorised"]
    unseen = attribute_aucs(latents, {"memorised": values}, groups, held_out)["memorised"]
    assert everything > 0.85
    assert unseen == pytest.approx(0.5, abs=0.15)


def test_attribute_aucs__leave_out_images_without_a_value(latents: np.ndarray, groups: list[str]) -> None:
    values = planted(latents, np.eye(DIMENSIONS)[0], 0.5)
    values[::3] = np.nan
    wrong = latents.copy()
    wrong[::3] = 1e6
    assert attribute_aucs(wrong, {"a": values}, groups) == attribute_aucs(latents, {"a": values}, groups)


def test_attribute_aucs__refuse_an_attribute_with_too_few_images(latents: np.ndarray, groups: list[str]) -> None:
    values = np.zeros(COUNT)
    values[:9] = 1
    with pytest.raises(BadInput, match="streaks: 9 images have it and 391 have not; learning it needs 10"):
        attribute_aucs(latents, {"streaks": values}, groups)


def test_held_out_scores__interval_covers_the_auc_and_narrows_with_more_lesions(
    latents: np.ndarray, groups: list[str]
) -> None:
    values = planted(latents, np.eye(DIMENSIONS)[0], 2.0)
    whole = held_out_scores(latents, values, groups).interval()
    part = held_out_scores(latents[:150], values[:150], groups[:150]).interval()
    assert whole.low < whole.value < whole.high
    assert whole.high - whole.low < part.high - part.low


def test_auc__agrees_with_the_library_within_one_fold_and_counts_ties_half() -> None:
    random = np.random.default_rng(8)
    scores, positive = random.integers(5, size=80).astype(float), random.integers(2, size=80) > 0
    one = HeldOutScores(scores, positive, np.zeros(80, int), np.arange(80).astype(str))
    assert one.auc == pytest.approx(roc_auc_score(positive, scores))


def test_auc__compares_no_scores_of_different_folds() -> None:
    scores, positive = np.array([1.0, 2.0, 101.0, 102.0]), np.array([False, True, False, True])
    assert HeldOutScores(scores, positive, np.array([0, 0, 1, 1]), np.array(list("abcd"))).auc == 1


def refitted(latents: np.ndarray, values: np.ndarray, groups: np.ndarray | list[str], permutations: int = 199) -> float:
    """The p-value of the cross-validated AUC, the directions learned anew from each permutation."""
    folds = group_folds(groups)

    def reached(rows: np.ndarray) -> float:
        moved = values[rows].astype(float)
        return fold_wise_auc(cross_fitted(latents, moved[:, None], folds)[:, 0], moved > 0, folds)

    return permutation_p(reached, groups, permutations)


def test_permutation_p__rejects_random_labels_and_accepts_planted_ones(latents: np.ndarray, groups: list[str]) -> None:
    assert refitted(latents, planted(latents, np.eye(DIMENSIONS)[3], 1.0), groups, 99) == pytest.approx(1 / 100)
    random = np.random.default_rng(11)
    chance = [refitted(latents, random.integers(2, size=COUNT), groups, 39) for _ in range(12)]
    assert sum(p <= 0.05 for p in chance) <= 3
    assert np.mean(chance) == pytest.approx(0.5, abs=0.25)


def test_permutation_p__moves_labels_of_whole_lesions_together() -> None:
    """Exchanging single images would take what a lesion's images share for evidence of the attribute."""
    random = np.random.default_rng(12)
    lesions = np.repeat(np.arange(40), 10).astype(str)
    latents = np.repeat(random.normal(size=(40, 5)), 10, 0)
    chance = [refitted(latents, np.repeat(random.integers(2, size=40), 10), lesions, 39) for _ in range(12)]
    assert sum(p <= 0.05 for p in chance) <= 3
