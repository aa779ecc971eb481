import math

import pytest
import torch
from torch.nn.functional import one_hot
from torchmetrics.functional.image import structural_similarity_index_measure

from training.losses import terms


def test_gaussian_divergence__agrees_with_torch_distributions() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(40, 6), torch.randn(40, 6)
    ours = terms.gaussian_divergence(mean, log_variance)
    normal = torch.distributions.Normal
    theirs = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(ours, theirs)


def test_gaussian_divergence__is_zero_for_the_prior() -> None:
    assert terms.gaussian_divergence(torch.zeros(3, 2), torch.zeros(3, 2)).tolist() == [0, 0]


def test_supervised_contrastive__agrees_with_a_plain_loop() -> None:
    torch.manual_seed(1)
    vectors, labels, temperature = torch.randn(9, 4), torch.tensor([0, 0, 1, 1, 1, 2, 0, 3, 2]), 0.2
    unit = [v / v.norm() for v in vectors]
    rows = []
    for i in range(9):
        positives = [j for j in range(9) if j != i and labels[j] == labels[i]]
        if not positives:
            continue
        below = sum(math.exp(float(unit[i] @ unit[a]) / temperature) for a in range(9) if a != i)
        shares = [math.log(math.exp(float(unit[i] @ unit[p]) / temperature) / below) for p in positives]
        rows.append(-sum(shares) / len(positives))
    ours = terms.supervised_contrastive(vectors, one_hot(labels), temperature)
    assert float(ours) == pytest.approx(sum(rows) / len(rows), rel=1e-5)


def test_supervised_contrastive__of_blends_weights_by_the_chance_of_the_same_label() -> None:
    torch.manual_seed(5)
    vectors, shares, temperature = torch.randn(7, 4), torch.rand(7, 3).softmax(1), 0.3
    unit = [v / v.norm() for v in vectors]
    rows = []
    for i in range(7):
        others = [j for j in range(7) if j != i]
        below = sum(math.exp(float(unit[i] @ unit[j]) / temperature) for j in others)
        alike = {j: sum(float(shares[i][c] * shares[j][c]) for c in range(3)) for j in others}
        logs = {j: math.log(math.exp(float(unit[i] @ unit[j]) / temperature) / below) for j in others}
        rows.append(-sum(alike[j] * logs[j] for j in others) / sum(alike.values()))
    ours = terms.supervised_contrastive(vectors, shares, temperature)
    assert float(ours) == pytest.approx(sum(rows) / 7, rel=1e-5)


def test_supervised_contrastive__has_a_gradient_of_zero_without_any_positive() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    terms.supervised_contrastive(vectors, torch.eye(3), 0.1).backward()
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_supervised_contrastive__has_finite_gradients_in_mixed_precision() -> None:
    vectors = torch.randn(16, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        terms.supervised_contrastive(vectors, one_hot(torch.arange(16) % 3), 0.1).backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_structural_similarity__agrees_with_torchmetrics() -> None:
    torch.manual_seed(2)
    ours, theirs = torch.rand(2, 3, 40, 56), torch.rand(2, 3, 40, 56)
    theirs = 0.7 * ours + 0.3 * theirs
    _, full = structural_similarity_index_measure(ours, theirs, data_range=1.0, return_full_image=True)
    inner = full[..., 5:-5, 5:-5].mean((1, 2, 3))  # theirs counts reflected borders too
    torch.testing.assert_close(terms.structural_similarity(ours, theirs), inner, atol=1e-4, rtol=0)


def test_structural_similarity__is_one_for_the_same_image_also_in_mixed_precision() -> None:
    image = torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        assert float(terms.structural_similarity(image, image)) == pytest.approx(1)


def test_adjusted_cross_entropy__without_logits_is_the_entropy_of_the_prior() -> None:
    prior = torch.tensor([0.2, 0.8])
    value = terms.adjusted_cross_entropy(
        torch.zeros(10, 2), one_hot(torch.tensor([0, 0] + [1] * 8)).float(), prior.log()
    )
    assert float(value) == pytest.approx(-float((prior * prior.log()).sum()))


def test_reconstruction_error__is_zero_for_the_same_image() -> None:
    image = torch.rand(2, 3, 32, 32)
    assert float(terms.reconstruction_error(image, image)) == pytest.approx(0, abs=1e-5)


def test_jaccard_contrastive__with_one_label_each_is_the_supervised_contrastive_loss() -> None:
    torch.manual_seed(3)
    vectors, labels = torch.randn(9, 4), torch.tensor([0, 0, 1, 1, 1, 2, 0, 3, 2])
    ours = terms.jaccard_contrastive(vectors, one_hot(labels), 0.2)
    torch.testing.assert_close(ours, terms.supervised_contrastive(vectors, one_hot(labels), 0.2))


def test_jaccard_contrastive__agrees_with_a_plain_loop() -> None:
    torch.manual_seed(4)
    vectors, temperature = torch.randn(6, 3), 0.3
    sets = [{0, 1}, {0}, {1, 2}, {2}, {3}, {0, 1, 2}]
    matrix = torch.tensor([[float(label in own) for label in range(4)] for own in sets])
    unit = [v / v.norm() for v in vectors]
    rows = []
    for i in range(6):
        below = sum(math.exp(float(unit[i] @ unit[a]) / temperature) for a in range(6) if a != i)
        likeness = {j: len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for j in range(6) if j != i}
        total = sum(likeness.values())
        if total:
            shares = {j: math.log(math.exp(float(unit[i] @ unit[j]) / temperature) / below) for j in likeness}
            rows.append(-sum(likeness[j] * shares[j] for j in likeness) / total)
    assert len(rows) == 5  # nobody shares a label with the fifth
    assert float(terms.jaccard_contrastive(vectors, matrix, temperature)) == pytest.approx(sum(rows) / 5, rel=1e-5)


def test_jaccard_contrastive__has_finite_gradients_in_mixed_precision_and_where_nothing_is_shared() -> None:
    for labels in (torch.eye(4), torch.ones(4, 4), torch.zeros(4, 4)):
        vectors = torch.randn(4, 8, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            terms.jaccard_contrastive(vectors, labels, 0.1).backward()
        assert vectors.grad is not None
        assert vectors.grad.isfinite().all()


def test_adjusted_binary_cross_entropy__without_logits_is_the_entropy_of_each_label() -> None:
    share = torch.tensor([0.2, 0.5])
    labels = torch.tensor([[1.0, 1], [0, 1], [0, 1], [0, 1], [0, 1], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]])
    value = terms.adjusted_binary_cross_entropy(torch.zeros(10, 2), labels, torch.logit(share))
    entropy = -(share * share.log() + (1 - share) * (1 - share).log()).sum()
    assert float(value) == pytest.approx(float(entropy))


def test_supervised_contrastive__a_preferred_pair_is_pulled_more() -> None:
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.eye(2)[[0, 0, 0, 1, 1, 1]]
    alike = terms.supervised_contrastive(vectors, labels, 0.2, torch.ones(6, 6))
    torch.testing.assert_close(alike, terms.supervised_contrastive(vectors, labels, 0.2))
    preference = torch.ones(6, 6)
    preference[0, 1] = preference[1, 0] = 50.0
    unit = torch.nn.functional.normalize(vectors)
    share = (unit @ unit.T / 0.2).fill_diagonal_(float("-inf")).log_softmax(1)
    preferred = terms.supervised_contrastive(vectors, labels, 0.2, preference)
    expected = [-(50 * share[0, 1] + share[0, 2]) / 51, -(50 * share[1, 0] + share[1, 2]) / 51]
    expected += [-(share[row, a] + share[row, b]) / 2 for row, a, b in ((2, 0, 1), (3, 4, 5), (4, 3, 5), (5, 3, 4))]
    torch.testing.assert_close(preferred, torch.stack(expected).mean())


def test_copy_contrastive__is_small_where_each_copy_is_nearest_to_its_image() -> None:
    features = torch.rand(12, 20, generator=torch.Generator().manual_seed(1)) + 5  # cosines near 1, as of pooled ones
    own = terms.copy_contrastive(features, features[:4] + 0.001, 0.1)
    others = terms.copy_contrastive(features, features[[1, 2, 3, 0]], 0.1)
    assert float(own) < 0.05
    assert float(others) > 5


def test_known_binary_cross_entropy__counts_only_what_is_known() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], requires_grad=True)
    targets = torch.tensor([[1.0, torch.nan], [torch.nan, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 0.0]))
    error = terms.known_binary_cross_entropy(logits, targets)
    torch.testing.assert_close(error, expected)
    error.backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == logits.grad[1, 0] == 0
    assert float(terms.known_binary_cross_entropy(logits, torch.full((2, 2), torch.nan))) == 0
