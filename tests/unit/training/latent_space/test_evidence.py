import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from training.latent_space.evidence import auc_evidence, correlation_evidence

COUNT = 300
RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=COUNT)
LESIONS = [f"lesion {number // 3}" for number in range(COUNT)]


def test_auc_evidence__agrees_with_the_library_and_says_on_how_many_lesions() -> None:
    values = (SCORES + RANDOM.normal(size=COUNT) > 1).astype(float)
    values[:30] = np.nan
    found = auc_evidence(SCORES, values, LESIONS, "a clinic")
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score(values[30:], SCORES[30:]), abs=1e-4)
    assert found.low < found.value < found.high
    assert (found.images, found.lesions, found.positive) == (270, 90, int(np.nansum(values)))
    assert (found.figure, found.data) == ("auc", "a clinic")


def test_correlation_evidence__agrees_with_the_library() -> None:
    values = np.exp(SCORES + RANDOM.normal(size=COUNT))
    found = correlation_evidence(SCORES, values, LESIONS, "a clinic")
    assert found is not None
    assert found.value == pytest.approx(spearmanr(SCORES, values).statistic, abs=1e-4)
    assert found.low < found.value < found.high
    assert (found.figure, found.images, found.lesions, found.positive) == ("rank_correlation", COUNT, 100, None)


def test_evidence__intervals_are_wider_where_images_are_of_few_lesions() -> None:
    scores = np.repeat(RANDOM.normal(size=20), 15)
    values = scores + np.repeat(RANDOM.normal(size=20), 15)
    widths = []
    for groups in (np.arange(COUNT).astype(str), np.repeat(np.arange(20), 15).astype(str)):
        found = correlation_evidence(scores, values, groups, "a clinic")
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


def test_evidence__has_a_small_p_only_where_there_is_something() -> None:
    random = np.random.default_rng(5)
    chance = [correlation_evidence(SCORES, random.normal(size=COUNT), LESIONS, "a clinic") for _ in range(10)]
    assert sum(found is not None and found.p <= 0.05 for found in chance) <= 2
    known = auc_evidence(SCORES, (SCORES + random.normal(size=COUNT) > 1).astype(float), LESIONS, "a clinic")
    assert known is not None
    assert known.p == pytest.approx(1 / 200)


def test_evidence__of_too_few_images_is_none() -> None:
    few = np.zeros(COUNT)
    few[:4] = 1
    assert auc_evidence(SCORES, few, LESIONS, "a clinic") is None
    assert auc_evidence(SCORES, np.ones(COUNT), LESIONS, "a clinic") is None
    assert correlation_evidence(SCORES[:9], SCORES[:9], LESIONS[:9], "a clinic") is None
    assert correlation_evidence(SCORES, np.ones(COUNT), LESIONS, "a clinic") is None
