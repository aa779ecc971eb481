"""Where cases start when a map is fitted anew, and how the new one is turned."""

import numpy as np
import pytest

from services.projector.projection.procrustes import rigid
from services.projector.projection.warm_start import start_from
from tests.laid import case_map

RNG = np.random.default_rng(8)


def test_rigid__undoes_a_turn_a_reflection_and_a_shift() -> None:
    there = RNG.normal(size=(30, 2))
    for matrix in ([[0.6, 0.8], [-0.8, 0.6]], [[1.0, 0], [0, -1]]):
        turn, shift = rigid((there - [3, 1]) @ matrix, there)
        np.testing.assert_allclose((there - [3, 1]) @ matrix @ turn + shift, there, atol=1e-9)


def test_rigid__never_scales() -> None:
    there = RNG.normal(size=(30, 2))
    turn, _ = rigid(there * 5, there)
    assert abs(np.linalg.det(turn)) == pytest.approx(1)


def test_start__is_the_old_place_and_for_new_cases_that_of_their_neighbours() -> None:
    places = {f"c{n}": (float(n), 0.0) for n in range(20)}
    points = np.arange(20, dtype=np.float32)[:, None]
    new = np.array([[3.0], [100.0]], np.float32)
    start = start_from(case_map(places), np.vstack([points, new]), [*places, "new", "far"], 0.1)
    assert start is not None
    np.testing.assert_allclose(start.xy[:20], list(places.values()))
    assert start.xy[20].tolist() == [3, 0]
    assert start.known.tolist() == [True] * 20 + [False] * 2


def test_start__needs_enough_common_cases() -> None:
    assert start_from(case_map({"a": (0.0, 0.0)}), np.zeros((2, 1), np.float32), ["a", "b"], 0.1) is None


def test_turned__lies_as_the_old_map_and_says_how_far_cases_moved() -> None:
    xy = RNG.normal(size=(40, 2)).astype(np.float32)
    places = {f"c{n}": (float(x), float(y)) for n, (x, y) in enumerate(xy)}
    start = start_from(case_map(places), xy, list(places), 0.1)
    assert start is not None
    turned, moved = start.turned(-xy[:, ::-1] + 7)
    np.testing.assert_allclose(turned, xy, atol=1e-5)
    assert moved == pytest.approx(0, abs=1e-4)
    _, moved = start.turned(xy + RNG.normal(scale=1, size=(40, 2)).astype(np.float32))
    assert moved > 0.05
