"""Exact neighbours, against an oracle in float64."""

import numpy as np
import pytest

from services.projector.latents.exact_knn import ExactKnn


@pytest.mark.parametrize(("cases", "dimensions", "k"), [(7, 3, 5), (1030, 32, 15), (2100, 16, 2)])
def test_neighbours__agree_with_all_distances(cases: int, dimensions: int, k: int) -> None:
    points = np.random.default_rng(1).normal(size=(cases, dimensions)).astype(np.float32)
    steps: list[tuple[int, int]] = []
    indices, distances = ExactKnn(points).of_themselves(k, lambda done, total: steps.append((done, total)))
    exact = np.linalg.norm(points[:, None].astype(float) - points[None].astype(float), axis=2)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, indices.astype(int), 1), distances, atol=1e-5)
    np.testing.assert_array_equal(indices[:, 0], np.arange(cases))
    assert steps[-1] == (cases, cases)


def test_neighbours__of_duplicates_start_with_each_itself_and_repeat() -> None:
    neighbourhood = ExactKnn(np.ones((6, 2), np.float32))
    indices, distances = neighbourhood.of_themselves(3)
    assert indices[:, 0].tolist() == list(range(6))
    assert all(len(set(row)) == 3 for row in indices.tolist())
    assert not distances.any()
    np.testing.assert_array_equal(neighbourhood.of_themselves(3)[0], indices)


def test_neighbours__of_queries_are_nearest_first() -> None:
    found, distances = ExactKnn(np.array([[0.0], [1], [5]], np.float32)).of(np.array([[4.0]], np.float32), 3)
    assert found.tolist() == [[2, 1, 0]]
    assert distances.tolist() == [[1, 3, 4]]
