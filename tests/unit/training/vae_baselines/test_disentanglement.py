import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LinearRegression

from training.data.ground_truth import Factor, FactorTable
from training.vae_baselines.disentanglement import (
    dci_scores,
    disentanglement_metrics,
    factor_score,
    mutual_information_gap,
    separated_attribute_predictability,
    unsupervised_rank,
)

COUNT = 6000
FACTORS = (
    Factor("shape", ordered=False),
    Factor("size", ordered=True),
    Factor("place", ordered=True),
    Factor("tone", ordered=True),
)
HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
"""A rotation after which each dimension holds all four factors in equal parts."""


@pytest.fixture(scope="module")
def truth() -> FactorTable:
    random = np.random.default_rng(0)
    return FactorTable(FACTORS, np.stack([random.integers(n, size=COUNT) for n in (3, 8, 16, 5)], 1).astype(float))


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / values.std(0)


@pytest.fixture(scope="module")
def perfect(truth: FactorTable) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(COUNT, 5))
    return np.concatenate([_standard(truth.values) + 0.01 * noise[:, :4], 0.3 * noise[:, 4:]], 1)


@pytest.fixture(scope="module")
def rotated(truth: FactorTable) -> np.ndarray:
    return _standard(truth.values) @ HADAMARD


def test_metrics__give_one_to_a_dimension_per_factor(perfect: np.ndarray, truth: FactorTable) -> None:
    figures = disentanglement_metrics(perfect, truth)
    assert figures["mig"] > 0.95
    # Of three shapes, any other dimension guesses one in three; the three ordered factors have R^2 of 1 and 0.
    assert figures["sap"] == pytest.approx((3 + 2 / 3) / 4, abs=0.02)
    assert figures["factor_score"] > 0.99
    assert figures["dci"] > 0.95
    assert figures["dci_completeness"] > 0.95
    assert figures["dci_informativeness"] > 0.97


def test_metrics__give_little_to_the_same_code_rotated(rotated: np.ndarray, truth: FactorTable) -> None:
    figures = disentanglement_metrics(rotated, truth)
    assert figures["mig"] < 0.1
    assert figures["sap"] < 0.1
    assert figures["factor_score"] < 0.5
    assert figures["dci"] < 0.1
    assert figures["dci_informativeness"] > 0.5  # much is still there, only not along the axes


def test_metrics__give_nothing_to_noise(truth: FactorTable) -> None:
    figures = disentanglement_metrics(np.random.default_rng(2).normal(size=(COUNT, 5)), truth)
    assert figures["mig"] < 0.02
    assert figures["sap"] < 0.03
    assert figures["factor_score"] < 0.45
    assert figures["dci_informativeness"] < 0.2


def test_mig__agrees_with_sklearn_on_a_code_of_levels(truth: FactorTable) -> None:
    codes = truth.values[:, [1, 2]] + 2 * truth.values[:, [2, 1]]
    gaps = []
    for column in truth.values.T:
        told = sorted(mutual_info_classif(codes, column, discrete_features=True, random_state=0))
        share = np.bincount(column.astype(int)) / COUNT
        gaps.append((told[-1] - told[-2]) / -(share * np.log(share)).sum())
    exact = np.mean(gaps)
    # Ours cuts the 40 levels of these codes into 20 bins, so it may lose a little.
    assert mutual_information_gap(codes, truth) == pytest.approx(exact, abs=0.08)


def test_sap__of_an_ordered_factor_is_the_gap_of_linear_fits() -> None:
    random = np.random.default_rng(3)
    value = random.normal(size=20000)
    codes = np.stack([value + random.normal(size=20000), value + 2 * random.normal(size=20000)], 1)
    truth = FactorTable((Factor("size", ordered=True),), value[:, None])
    fits = [LinearRegression().fit(codes[:, [d]], value).score(codes[:, [d]], value) for d in (0, 1)]
    assert separated_attribute_predictability(codes, truth) == pytest.approx(fits[0] - fits[1], abs=0.02)
    assert fits[0] - fits[1] == pytest.approx(1 / 2 - 1 / 5, abs=0.02)


def test_factor_score__cannot_tell_two_factors_apart_that_share_a_dimension(truth: FactorTable) -> None:
    values = _standard(truth.values)
    both = np.stack([values[:, 0], values[:, 1] + values[:, 2], values[:, 3]], 1)
    assert factor_score(both, truth) == pytest.approx(3 / 4, abs=0.005)


def test_factor_score__does_not_depend_on_the_scale_of_a_dimension(perfect: np.ndarray, truth: FactorTable) -> None:
    scaled = perfect * [30.0, 0.5, 4.0, 1.0, 1.0]
    assert factor_score(scaled, truth, votes=2000) == factor_score(perfect, truth, votes=2000) > 0.99


def test_factor_score__is_measured_on_votes_that_the_classifier_has_not_seen(truth: FactorTable) -> None:
    # With more dimensions than votes, each dimension names the factor of the one vote that it won.
    noise = np.random.default_rng(6).normal(size=(COUNT, 300))
    scores = [factor_score(noise, truth, seed, votes=80) for seed in range(5)]
    assert np.mean(scores) < 0.45


def test_factor_score__asks_each_factor_as_often(truth: FactorTable) -> None:
    # Only the size is known. Votes of the other three factors fall on either dimension, and one of them is named.
    values = _standard(truth.values)
    only = np.stack([values[:, 1], np.random.default_rng(7).normal(size=COUNT)], 1)
    assert factor_score(only, truth, votes=4000) == pytest.approx(1 / 4 + 1 / 8, abs=0.03)


def test_factor_score__leaves_out_dimensions_that_do_not_vary(perfect: np.ndarray, truth: FactorTable) -> None:
    still = np.concatenate([perfect, np.full((COUNT, 1), 3.0)], 1)
    assert factor_score(still, truth) > 0.99
    assert factor_score(np.zeros((COUNT, 3)), truth) == 0


def test_dci__tells_an_incomplete_code_from_an_entangled_one(truth: FactorTable) -> None:
    values = _standard(truth.values)
    doubled = np.concatenate([values, values + 1e-3 * np.random.default_rng(4).normal(size=values.shape)], 1)
    incomplete = dci_scores(doubled, truth)
    assert incomplete.disentanglement > 0.95
    assert incomplete.completeness < incomplete.disentanglement


def test_udr__is_one_for_models_that_agree_up_to_order_sign_and_scale() -> None:
    codes = np.random.default_rng(5).normal(size=(3000, 4))
    other, third = codes[:, [2, 0, 3, 1]] * [-3, 1, 2, -1], np.exp(codes[:, [1, 0, 2, 3]])
    ranks = unsupervised_rank([codes, other, third], [np.ones(4)] * 3)
    assert min(ranks) > 0.9


def test_udr__is_low_for_models_that_are_rotated_against_each_other() -> None:
    codes = np.random.default_rng(6).normal(size=(3000, 4))
    assert max(unsupervised_rank([codes, codes @ HADAMARD], [np.ones(4)] * 2)) < 0.35


def test_udr__agrees_with_equation_and_scipy_on_two_models() -> None:
    random = np.random.default_rng(7)
    left = random.normal(size=(500, 3))
    right = left @ random.normal(size=(3, 2))
    used = np.array([True, False, True])
    relation = np.abs(spearmanr(left, right).statistic[:3, 3:])  # [3,2]
    columns = sum(relation[:, b].max() ** 2 / relation[:, b].sum() for b in range(2))
    rows = sum(relation[a].max() ** 2 / relation[a].sum() for a in range(3) if used[a])
    expected = (columns + rows) / (2 + 2)
    found = unsupervised_rank([left, right], [np.where(used, 1.0, 0.001), np.ones(2)])
    assert found == pytest.approx([expected, expected])


def test_udr__needs_two_models() -> None:
    with pytest.raises(ValueError, match="at least two"):
        unsupervised_rank([np.zeros((5, 2))], [np.ones(2)])


def test_factor_table__refuses_values_without_a_column_for_each_factor() -> None:
    with pytest.raises(ValueError, match="a column for each of 4 factors"):
        FactorTable(FACTORS, np.zeros((4, 2)))


def test_levels__cut_a_continuous_factor_into_parts_of_equal_count() -> None:
    values = np.random.default_rng(9).exponential(size=(1000, 1))
    counts = np.bincount(FactorTable((Factor("size", ordered=True),), values).levels()[:, 0])
    assert counts.tolist() == [100] * 10
