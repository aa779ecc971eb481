import numpy as np
import pytest

from training.latent_space.axes import Axes, align_to_classes, align_to_factors, spread_to_power


def test_align_to_classes__keeps_distances_and_points_at_the_classes() -> None:
    random = np.random.default_rng(0)
    head, means = random.normal(size=(3, 8)), random.normal(size=(50, 8))
    turn = align_to_classes(head, means)
    np.testing.assert_allclose(turn @ turn.T, np.eye(8), atol=1e-10)
    along = head @ turn.T  # [C,S]
    assert along[:, :3].argmax(1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(along[:, 3:], 0, atol=1e-10)


def test_align_to_classes__puts_what_varies_most_right_behind_the_classes() -> None:
    head = np.eye(2, 6)
    means = np.random.default_rng(1).normal(size=(400, 6)) * [1, 1, 0.1, 0.1, 5, 0.1]
    turn = align_to_classes(head, means)
    np.testing.assert_allclose(np.abs(turn[:3]), np.eye(6)[[0, 1, 4]], atol=0.05)


def test_align_to_classes__takes_principal_axes_with_more_classes_than_dimensions() -> None:
    means = np.random.default_rng(2).normal(size=(400, 3)) * [0.1, 3, 1]
    turn = align_to_classes(np.ones((5, 3)), means)
    np.testing.assert_allclose(np.abs(turn), np.eye(3)[[1, 2, 0]], atol=0.1)


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
