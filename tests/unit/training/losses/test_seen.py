import pytest
import torch

from training.losses import seen


def test_reading_error__is_0_for_what_is_wanted_and_about_1_for_another_image() -> None:
    torch.manual_seed(0)
    wanted, shares = torch.randn(4000, 6), torch.tensor([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert float(seen.reading_error(wanted, wanted, shares)) == 0
    assert float(seen.reading_error(torch.randn(4000, 6), wanted, shares)) == pytest.approx(1, abs=0.05)
    first, last = wanted.clone(), wanted.clone()
    first[:, 0] += 1
    last[:, -1] += 1
    assert float(seen.reading_error(first, wanted, shares)) > 2 * float(seen.reading_error(last, wanted, shares))


def test_leak__counts_the_others_by_their_shares() -> None:
    movement = torch.tensor([[2.0, 1.0, 0.0]])
    assert float(seen.leak(movement, 0, torch.tensor([2.0]), torch.tensor([0.5, 0.375, 0.125]))) == pytest.approx(0.375)


def test_lesion_weights__lie_on_the_lesion_not_on_the_skin() -> None:
    images = torch.full((1, 3, 40, 60), 0.8)
    images[..., 10:20, 30:50] = 0.3
    weights = seen.lesion_weights(images)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[..., 10:20, 30:50].sum()) > 0.98


def test_invisible__is_0_from_the_wanted_change_on() -> None:
    weights = torch.full((2, 1, 4, 4), 1 / 16)
    change = torch.full((2, 3, 4, 4), 0.02)
    assert float(seen.invisible(change, weights, 0.02)) == pytest.approx(0, abs=1e-6)
    assert float(seen.invisible(change / 2, weights, 0.02)) == pytest.approx(0.5)
    assert float(seen.invisible(-3 * change, weights, 0.02)) == 0


def test_stamp__falls_when_lesions_get_different_drawings_and_has_a_gradient() -> None:
    torch.manual_seed(0)
    drawing, places = torch.randn(3, 16, 16), [(4, 8), (40, 60), (20, 32)]
    change, weights = torch.zeros(3, 3, 72, 96), torch.zeros(3, 1, 72, 96)
    other = torch.zeros_like(change)
    for row, (top, left) in enumerate(places):
        change[row, :, top : top + 16, left : left + 16] = drawing
        other[row, :, top : top + 16, left : left + 16] = torch.randn(3, 16, 16)
        weights[row, :, top : top + 16, left : left + 16] = 1 / 256
    change.requires_grad_()
    same = seen.stamp(change, weights)
    same.backward()
    assert float(same.detach()) > 0.99
    assert float(seen.stamp(other, weights)) < 0.5
    assert change.grad is not None


def test_hinge_of_critic__is_0_where_all_logits_are_beyond_the_margin() -> None:
    assert float(seen.hinge_of_critic(torch.tensor([1.5]), torch.tensor([-2.0]))) == 0
    assert float(seen.hinge_of_critic(torch.tensor([0.0]), torch.tensor([0.0]))) == 2
