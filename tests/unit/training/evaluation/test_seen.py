import numpy as np
import pytest

from training.evaluation import seen


def test_visible_levels__is_the_mean_change_inside_the_lesion_alone() -> None:
    change = np.zeros((2, 3, 4, 4))
    inside = np.zeros((2, 4, 4), bool)
    inside[:, 1:3, 1:3] = True
    change[0, :, 1:3, 1:3], change[1, :, 1:3, 1:3] = 10 / 255, -20 / 255
    change[:, :, 0] = 1
    assert seen.visible_levels(change, inside) == pytest.approx(15)


def test_leak__is_the_movement_of_the_others_over_that_of_the_moved_one() -> None:
    movement = np.array([[2.0, 1.0, 0.0], [2.0, -1.0, 0.0]])
    assert seen.leak(movement, 0, np.array([0.5, 0.25, 0.25])) == pytest.approx(0.25)
    assert seen.leak(movement, 0, np.array([0.5, 0.5, 0.0])) == pytest.approx(0.5)
    assert seen.leak(movement, 2, np.array([0.5, 0.25, 0.25])) > 100  # nothing moved but the others


def test_stamp__is_1_for_the_same_drawing_at_the_lesions_wherever_they_lie_and_0_for_others() -> None:
    random = np.random.default_rng(0)
    drawing = random.normal(size=(3, 9, 9))
    change, inside = np.zeros((4, 3, 40, 50)), np.zeros((4, 40, 50), bool)
    others = np.zeros_like(change)
    for row, (top, left) in enumerate([(5, 8), (20, 30), (12, 25), (15, 3)]):
        change[row, :, top : top + 9, left : left + 9] = drawing
        others[row, :, top : top + 9, left : left + 9] = random.normal(size=(3, 9, 9))
        inside[row, top : top + 9, left : left + 9] = True
    assert seen.stamp(change, inside) > 0.999
    assert abs(seen.stamp(others, inside)) < 0.15


def test_kernel_distance__is_0_for_two_samples_of_one_distribution_and_grows_with_the_shift() -> None:
    random = np.random.default_rng(1)
    draw = lambda shift: random.normal(shift, 1, (400, 16))  # noqa: E731
    same = seen.kernel_distance(draw(0), draw(0))
    near, far = seen.kernel_distance(draw(0.3), draw(0)), seen.kernel_distance(draw(1), draw(0))
    assert abs(same) < 0.05 < near < far


def test_kernel_distance__is_the_unbiased_estimate_of_three_points_by_hand() -> None:
    some, others = np.array([[0.0], [1.0]]), np.array([[2.0], [0.0]])
    # (xy + 1)^3: within 1 and 1; across 1, 1, 27 and 1.
    assert seen.kernel_distance(some, others) == pytest.approx(1 + 1 - 2 * (1 + 1 + 27 + 1) / 4)
