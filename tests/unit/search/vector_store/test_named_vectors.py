"""The stored vectors rank by the weighted distance, and float32 errs no more than the bound says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.search.vector_store.named_vectors import Metric, stored_vectors

D = 6
coordinates = arrays(np.float32, D, elements=st.floats(-100, 100, width=32))


def weights(largest: float) -> st.SearchStrategy[np.ndarray]:
    return st.tuples(arrays(np.float64, D, elements=st.floats(0, largest)), st.integers(0, D - 1)).map(_with_one)


def _with_one(drawn: tuple[np.ndarray, int]) -> np.ndarray:
    drawn[0][drawn[1]] = 1.0
    return drawn[0]


@given(coordinates, coordinates, weights(1e6), weights(1e3))
def test_scores__are_within_the_bound_of_the_true_distance(
    x: np.ndarray, q32: np.ndarray, custom: np.ndarray, clinical: np.ndarray
) -> None:
    q = q32.astype(np.float64)
    stored = {name: np.array(v, np.float32) for name, v in stored_vectors(x, clinical).items()}
    metrics = [Metric("visual", np.ones(D)), Metric("clinical", clinical), Metric("weighted", custom)]
    for metric in metrics:
        query = np.array(metric.query_vector(q), np.float32)
        here = stored[metric.space]
        score = query @ here if metric.space == "weighted" else np.float32(np.sqrt(((query - here) ** 2).sum()))
        true = float(metric.weights @ (q - x.astype(np.float64)) ** 2)
        assert abs(metric.squared_distances([float(score)], q)[0] - true) <= metric.error_bound(q, true) + 1e-30


@given(coordinates, coordinates)
def test_bound__is_small_beside_distances_that_matter(x: np.ndarray, q: np.ndarray) -> None:
    bound = Metric("visual", np.ones(D)).error_bound(q.astype(np.float64), 1.0)
    assert bound <= 1e-5 * (1 + float(q.astype(np.float64) @ q)) * 2
