import numpy as np
from sklearn.linear_model import Ridge

from training.models.ridge import PENALTIES, cross_fitted, direction

COUNT, SIZE = 300, 12
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(COUNT, SIZE)) * np.geomspace(0.1, 10, SIZE)


def test_direction__of_an_exact_relation_is_the_relation_whatever_the_scale_of_x() -> None:
    along = RANDOM.normal(size=SIZE) / X.std(0)
    values = X @ along
    values[::7] = np.nan
    np.testing.assert_allclose(direction(X, values), along, rtol=0.01, atol=1e-3)


def test_direction__chooses_the_penalty_of_least_generalised_error() -> None:
    x = (X - X.mean(0)) / X.std(0)
    y = x @ RANDOM.normal(size=SIZE) * 0.1 + RANDOM.normal(size=COUNT)
    y -= y.mean()

    def criterion(penalty: float) -> float:
        hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(SIZE), x.T)
        return float(((y - hat @ y) ** 2).sum() / (1 - (np.trace(hat) + 1) / COUNT) ** 2)

    best = min(PENALTIES, key=criterion)
    np.testing.assert_allclose(direction(x, y), Ridge(best).fit(x, y).coef_, atol=1e-8)


def test_cross_fitted__never_learns_from_the_fold_that_it_predicts() -> None:
    folds = np.arange(COUNT) % 5
    y = RANDOM.normal(size=(COUNT, 1))
    before = cross_fitted(X, y, folds)
    y[folds == 2] = 100
    after = cross_fitted(X, y, folds)
    np.testing.assert_array_equal(after[folds == 2], before[folds == 2])
    assert np.abs(after[folds != 2] - before[folds != 2]).max() > 1


def test_cross_fitted__with_more_dimensions_than_images_stays_finite() -> None:
    found = cross_fitted(RANDOM.normal(size=(40, 100)), RANDOM.normal(size=(40, 2)), np.arange(40) % 5)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 10
