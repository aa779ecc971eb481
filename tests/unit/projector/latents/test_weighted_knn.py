"""The cases around a point: weights, shares of diagnoses."""

import numpy as np
import pytest

from casekin.errors import WrongLatent
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.weighted_knn import WeightedKnn

LATENTS = np.array([[0, 0], [1, 0], [0, 2], [9, 9]], np.float32)
COLLECTION = CollectionLatents(
    "b", "1", ["a", "b", "c", "d"], ["nv", "mel", "nv", None], ["L1", "L1", None, None], LATENTS
)


def test_nearest__measures_under_the_weights() -> None:
    rows, distances = WeightedKnn(COLLECTION, [1.0, 1.0]).nearest([[0, 0]], 3)
    assert rows.tolist() == [[0, 1, 2]]
    assert distances.tolist() == [[0, 1, 2]]
    rows, distances = WeightedKnn(COLLECTION, [9.0, 0.25]).nearest([[0, 0]], 3)
    assert rows.tolist() == [[0, 2, 1]]
    assert distances.tolist() == [[0, 1, 3]]


def test_nearest__takes_all_where_there_are_few() -> None:
    assert WeightedKnn(COLLECTION, [1.0, 1.0]).nearest([[0, 0], [9, 9]], 50)[0].shape == (2, 4)
    with pytest.raises(WrongLatent, match="3 numbers"):
        WeightedKnn(COLLECTION, [1.0, 1.0]).nearest([[0, 0, 0]], 1)


def test_shares__leave_out_the_unknown_and_name_the_most_frequent_first() -> None:
    knn = WeightedKnn(COLLECTION, [1.0, 1.0])
    shares, none = knn.shares([np.array([0, 1, 2, 3]), np.array([3])])
    assert list(shares.items()) == [("nv", 0.6667), ("mel", 0.3333)]
    assert none == {}
