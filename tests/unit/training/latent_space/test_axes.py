import numpy as np
import pytest

from training.latent_space.axes import Axes, align_to_factors, principal, spread_to_power


def test_principal__puts_what_varies_most_first() -> None:
    means = np.random.default_rng(2).normal(size=(400, 3)) * [0.1, 3, 1]
    np.testing.assert_allclose(np.abs(principal(means)), np.eye(3)[[1, 2, 0]], atol=0.1)


def test_spread_to_power__leaves_all_at_power_1_and_whitens_at_power_0() -> None:
    random = np.random.default_rng(3)
    means = random.normal(size=(500, 4)) * [4.0, 2.0, 1.0, 0.5] @ random.normal(size=(4, 4))
    np.testing.assert_allclose(spread_to_power(means, 1.0), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(np.cov((means @ spread_to_power(means, 0.0)).T), np.eye(4), atol=1e-6)
    spread, half = (np.linalg.eigvalsh(np.cov(values.T)) for values in (means, means @ spread_to_power(means, 0.5)))
    np.testing.assert_allclose(half, spread**0.5)


def test_align_to_factors__finds_factors_that_were_mixed_and_whitens() -> None:
    random = np.random.default_rng(1)
    factors = random.normal(size=(500, 2))
    hidden = np.concatenate([factors, random.normal(size=(500, 3))], 1)
    mixed = hidden @ random.normal(size=(5, 5)).T
    turned = (mixed - mixed.mean(0)) @ align_to_factors(mixed, factors).T
    np.testing.assert_allclose(np.cov(turned.T), np.eye(5), atol=1e-6)
    for factor in range(2):
        assert np.corrcoef(turned[:, factor], factors[:, factor])[0, 1] > 0.95 or (
            np.corrcoef(turned[:, 1 - factor], factors[:, factor])[0, 1] > 0.95
        )


def test_align_to_factors__gives_up_factors_that_the_latent_does_not_hold() -> None:
    random = np.random.default_rng(2)
    latents, noise = random.normal(size=(500, 4)), random.normal(size=(500, 3))
    turn = align_to_factors(latents, noise)
    assert turn.shape == (4, 4)
    assert np.linalg.matrix_rank(turn) == 4


def test_axes__reordered_moves_dimensions_only() -> None:
    axes = Axes(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 2.0]]))
    values = np.array([[3.0, 5.0]])
    np.testing.assert_allclose(axes.transform(values), [[5, 6]])
    np.testing.assert_allclose(axes.reordered([1, 0]).transform(values), [[6, 5]])
    assert axes.transform(values) == pytest.approx((values - axes.centre) @ axes.matrix.T)
