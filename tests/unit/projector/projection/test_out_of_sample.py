"""Placing by attraction: against umap-learn where it has the same formula, and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projector.projection.out_of_sample import attracted, curve, memberships


@pytest.mark.slow
@pytest.mark.parametrize("min_dist", [0.0, 0.1, 0.5])
def test_curve__is_umaps(min_dist: float) -> None:
    from umap.umap_ import find_ab_params

    assert curve(min_dist) == pytest.approx(find_ab_params(1.0, min_dist), rel=1e-6)


def test_memberships__sum_to_the_binary_logarithm_and_the_nearest_has_one() -> None:
    distances = np.sort(np.random.default_rng(3).gamma(3, size=(40, 15)), axis=1)
    weights = memberships(distances)
    np.testing.assert_allclose(weights.sum(1), np.log2(15), rtol=1e-6)
    np.testing.assert_allclose(weights[:, 0], 1)
    assert (np.diff(weights, axis=1) <= 0).all()


@pytest.mark.parametrize("distances", [[1.0, 1.0, 1.0], [2.0]])
def test_memberships__of_equally_near_ones_are_equal(distances: list[float]) -> None:
    np.testing.assert_allclose(memberships(np.array([distances])), 1)


def test_place__is_where_the_attraction_is_greatest() -> None:
    rng = np.random.default_rng(4)
    around, distances = rng.normal(size=(1, 6, 2)), np.sort(rng.gamma(2, size=(1, 6)), axis=1)
    (here,) = attracted(around, distances, 0.1)
    a, b = curve(0.1)

    def loss(place: np.ndarray) -> float:
        return float((memberships(distances)[0] * np.log1p(a * ((around[0] - place) ** 2).sum(1) ** b)).sum())

    nearby = here + rng.normal(scale=0.01, size=(200, 2))
    assert loss(here) <= min(map(loss, nearby)) + 1e-6


def test_place__stays_with_the_cluster_that_most_neighbours_are_in() -> None:
    around = np.array([[[0, 0], [0.2, 0], [0, 0.2], [0.2, 0.2], [30, 0]]], float)
    (place,) = attracted(around, np.array([[1.0, 1.1, 1.1, 1.2, 1.2]]), 0.1)
    assert np.linalg.norm(place - [0.1, 0.1]) < 0.2, "the mean would lie 6 to the right"


def test_place__at_distance_0_is_the_neighbours_own_place() -> None:
    around = np.array([[[0.0, 4.0], [3, 0]], [[3, 0], [0, 4]]])
    places = attracted(around, np.array([[0.0, 1e-9], [0, 0]]), 0.1)
    assert places.tolist() == [[0, 4], [1.5, 2]]


def test_place__repeats_to_the_bit_alone_and_among_others() -> None:
    rng = np.random.default_rng(5)
    around, distances = rng.normal(size=(50, 15, 2)), np.sort(rng.gamma(2, size=(50, 15)), axis=1)
    together = attracted(around, distances, 0.1)
    assert (together == attracted(around, distances, 0.1)).all()
    assert (together[7] == attracted(around[7:8], distances[7:8], 0.1)[0]).all()


@given(st.lists(st.floats(min_value=0, max_value=1e300), min_size=3, max_size=3))
def test_place__stays_among_its_neighbours_whatever_the_distances(distances: list[float]) -> None:
    corners = np.array([[[0.0, 0.0], [3, 0], [0, 4]]])
    ((x, y),) = attracted(corners, np.sort([distances], axis=1), 0.1)
    assert -1e-9 <= x <= 3 + 1e-9
    assert -1e-9 <= y <= 4 + 1e-9
