"""Exact neighbours, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from services.projector.layout import _EpochStream, lay_out, nearest


@pytest.mark.parametrize(("cases", "dimensions", "k"), [(7, 3, 5), (1030, 32, 15), (2100, 16, 2)])
def test_nearest__agrees_with_an_independent_search(cases: int, dimensions: int, k: int) -> None:
    points = np.random.default_rng(1).normal(size=(cases, dimensions)).astype(np.float32)
    steps: list[tuple[int, int]] = []
    indices, distances = nearest(points, k, lambda done, total: steps.append((done, total)))
    expected, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points.astype(float)).kneighbors(points)
    np.testing.assert_allclose(distances, expected, atol=2e-3)
    np.testing.assert_array_equal(indices[:, 0], np.arange(cases))
    actual = np.linalg.norm(points[indices].astype(float) - points[:, None].astype(float), axis=2)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert steps[-1] == (cases, cases)


def test_nearest__of_duplicates_starts_with_itself_and_repeats() -> None:
    points = np.ones((6, 2), np.float32)
    indices, distances = nearest(points, 3, lambda _done, _total: None)
    assert indices[:, 0].tolist() == list(range(6))
    assert not distances.any()
    np.testing.assert_array_equal(nearest(points, 3, lambda _done, _total: None)[0], indices)


def test_layout__of_equal_points_needs_no_fit() -> None:
    def refuse(_done: int, _total: int) -> None:
        raise AssertionError

    xy = lay_out(np.ones((9, 3), np.float32), neighbours=5, min_dist=0.1, seed=1, near_step=refuse, epoch_step=refuse)
    assert xy.tolist() == [[0, 0]] * 9


def test_epoch_stream__reads_the_bar_and_nothing_else() -> None:
    seen: list[tuple[int, int]] = []
    stream = _EpochStream(lambda done, total: seen.append((done, total)))
    for text in ("\r0/500", "\r 12/500", "\n", "", "\r500/500"):
        stream.write(text)
    assert seen == [(0, 500), (12, 500), (500, 500)]
