"""What the ablation measures by itself, against a closed form."""

import numpy as np
import pytest

from benchmarks.ablation import total_correlation


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
def test_total_correlation__of_two_dimensions_is_that_of_a_gaussian(correlation: float) -> None:
    drawn = np.random.default_rng(1).normal(size=(200_000, 2))
    means = np.stack([drawn[:, 0], correlation * drawn[:, 0] + np.sqrt(1 - correlation**2) * drawn[:, 1]], 1)
    found = total_correlation(3 * means, np.full_like(means, -np.inf))
    assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=5e-3)


def test_total_correlation__noise_of_the_posterior_hides_dependence() -> None:
    means = np.repeat(np.random.default_rng(1).normal(size=(200_000, 1)), 2, axis=1)
    found = total_correlation(means, np.zeros_like(means))  # half of each variance is noise: correlation 1/2
    assert found == pytest.approx(-0.5 * np.log(1 - 0.25), abs=5e-3)
