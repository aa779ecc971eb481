import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.losses import terms
from training.models.guided_vae import Discriminator

CORRELATION = 0.8
TOTAL_CORRELATION = -0.5 * math.log(1 - CORRELATION**2)
"""Of two standard normal variables with that correlation, in closed form."""


def _correlated(count: int, own: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return posteriors of variance `own` and their draws such that q(z) is N(0, [[1, r], [r, 1]]) over all images."""
    torch.manual_seed(3)
    joint = torch.tensor([[1, CORRELATION], [CORRELATION, 1]])
    mean = torch.randn(count, 2) @ torch.linalg.cholesky(joint - own * torch.eye(2)).T
    log_variance = torch.full((count, 2), math.log(own))
    return mean, log_variance, mean + math.sqrt(own) * torch.randn(count, 2)


def test_decomposed_divergence__comes_near_the_closed_form_of_a_correlated_gaussian() -> None:
    own, count = 0.1, 3000
    parts = terms.decomposed_divergence(*_correlated(count, own), images=count)
    assert float(parts.total_correlation) == pytest.approx(TOTAL_CORRELATION, abs=0.05)
    # I(n;z) = h(z) - h(z|n) of Gaussians; each dimension alone is N(0, 1), the prior itself.
    index_code = 0.5 * math.log((1 - CORRELATION**2) / own**2)
    assert float(parts.index_code) == pytest.approx(index_code, abs=0.05)
    assert float(parts.dimension_wise) == pytest.approx(0, abs=0.05)


def test_decomposed_divergence__finds_no_correlation_between_independent_dimensions() -> None:
    torch.manual_seed(4)
    mean, log_variance = math.sqrt(0.9) * torch.randn(3000, 3), torch.full((3000, 3), math.log(0.1))
    drawn = mean + math.sqrt(0.1) * torch.randn(3000, 3)
    assert abs(float(terms.decomposed_divergence(mean, log_variance, drawn, 3000).total_correlation)) < 0.05


def test_decomposed_divergence__parts_sum_to_the_sampled_divergence() -> None:
    torch.manual_seed(5)
    mean, log_variance = torch.randn(50, 4), torch.randn(50, 4)
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    drawn = normal.sample()
    prior = torch.distributions.Normal(0.0, 1.0)
    whole = (normal.log_prob(drawn) - prior.log_prob(drawn)).sum(1).mean()
    torch.testing.assert_close(sum(terms.decomposed_divergence(mean, log_variance, drawn, 1000)), whole)


def test_decomposed_divergence__estimates_q_as_a_plain_loop_over_the_strata_does() -> None:
    torch.manual_seed(6)
    mean, log_variance, drawn = torch.randn(5, 2), torch.randn(5, 2), torch.randn(5, 2)
    images, others = 100, 4
    expected = []
    for i in range(5):
        density = [
            math.exp(float(torch.distributions.Normal(mean[j], (log_variance[j] / 2).exp()).log_prob(drawn[i]).sum()))
            for j in range(5)
        ]
        rest = [density[(i + k) % 5] for k in range(1, 5)]
        share = density[i] / images + (images - others) / (images * others) * rest[0] + sum(rest[1:]) / others
        expected.append(math.log(density[i]) - math.log(share))
    found = terms.decomposed_divergence(mean, log_variance, drawn, images).index_code
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-4)


def test_decomposed_divergence__refuses_a_batch_larger_than_the_collection() -> None:
    with pytest.raises(ValueError, match="a batch has 3 of 2 images"):
        terms.decomposed_divergence(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 2), 2)


def test_bernoulli_error__agrees_with_torch_distributions() -> None:
    logits, images = torch.randn(4, 1, 5, 5), torch.rand(4, 1, 5, 5).round()
    theirs = -torch.distributions.Bernoulli(logits=logits).log_prob(images).sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms.bernoulli_error(logits, images), theirs)


def test_gaussian_error__agrees_with_torch_distributions_but_for_the_constant() -> None:
    decoded, images = torch.rand(4, 3, 5, 5), torch.rand(4, 3, 5, 5)
    theirs = -torch.distributions.Normal(decoded, 0.1).log_prob(images).sum((1, 2, 3)).mean()
    constant = 75 * math.log(0.1 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(terms.gaussian_error(decoded, images, 0.1), theirs - constant)


@pytest.mark.parametrize(("capacity", "expected"), [(0.0, 5.0), (5.0, 0.0), (7.5, 2.5)])
def test_capacity_error__is_the_distance_of_the_divergence_from_the_capacity(capacity: float, expected: float) -> None:
    assert float(terms.capacity_error(torch.tensor([2.0, 3.0]), capacity)) == expected


def test_permute_dims__keeps_each_marginal_and_breaks_the_correlation() -> None:
    drawn = _correlated(4000, 0.1)[2]
    permuted = terms.permute_dims(drawn)
    assert torch.equal(permuted.sort(0).values, drawn.sort(0).values)
    assert abs(float(torch.corrcoef(permuted.T)[0, 1])) < 0.05 < abs(float(torch.corrcoef(drawn.T)[0, 1]))


def test_discriminator_error__is_log_two_for_a_discriminator_that_knows_nothing() -> None:
    assert float(terms.discriminator_error(torch.zeros(8), torch.zeros(8))) == pytest.approx(math.log(2))


def test_discriminator__learns_the_analytic_log_ratio_and_so_the_total_correlation() -> None:
    torch.manual_seed(7)
    judge = Discriminator(2, 32)
    optimiser = torch.optim.Adam(judge.parameters(), 3e-3)
    root = torch.linalg.cholesky(torch.tensor([[1, CORRELATION], [CORRELATION, 1]]))
    for _ in range(400):
        joint, second = torch.randn(256, 2) @ root.T, torch.randn(256, 2) @ root.T
        error = terms.discriminator_error(judge(joint), judge(terms.permute_dims(second)))
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    drawn = torch.randn(4000, 2) @ root.T
    with torch.no_grad():
        logits = judge(drawn)
    x, y = drawn.T
    analytic = TOTAL_CORRELATION - (CORRELATION**2 * (x**2 + y**2) - 2 * CORRELATION * x * y) / (
        2 * (1 - CORRELATION**2)
    )
    assert float(torch.corrcoef(torch.stack([logits, analytic]))[0, 1]) > 0.95
    assert float(terms.total_correlation_by_ratio(logits)) == pytest.approx(TOTAL_CORRELATION, abs=0.1)
    assert float(terms.total_correlation_by_ratio(analytic)) == pytest.approx(TOTAL_CORRELATION, abs=0.05)


def test_capacity_error__pulls_the_divergence_along_as_the_capacity_rises() -> None:
    mean = torch.zeros(1, 3, requires_grad=True)
    with torch.no_grad():
        mean += 0.1
    optimiser = torch.optim.Adam([mean], 0.05)
    for step in range(400):
        pull = terms.capacity_error(terms.gaussian_divergence(mean, torch.zeros(1, 3)), 6.0 * min(1, step / 300))
        optimiser.zero_grad()
        pull.backward()
        optimiser.step()
    assert float(terms.gaussian_divergence(mean, torch.zeros(1, 3)).sum()) == pytest.approx(6, abs=0.5)
