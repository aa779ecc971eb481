"""Steering against values worked out by hand and brute force: examples, several images, groups, diversity."""

import numpy as np
import pytest

from services.search.retrieval.deduplication import HIDDEN_SHOWN, collapse
from services.search.retrieval.mmr import distances_between, diverse
from services.search.retrieval.query_point import AWAY, QueryPoint, moved
from services.search.vector_store.named_vectors import Metric
from tests.integration.search.made import stored

W = np.array([0.5, 2.0])


def test_moved__by_positive_examples_ranks_by_the_weighted_mean_of_squared_distances() -> None:
    rng = np.random.default_rng(0)
    query, examples, x = rng.normal(size=2), rng.normal(size=(3, 2)), rng.normal(size=(50, 2))
    weights = [1.0, 0.5, 2.0]
    point = moved(query, examples, weights)
    asked = np.vstack([query, examples])
    mean = np.average([((one - x) ** 2) @ W for one in asked], axis=0, weights=[1.0, *weights])
    np.testing.assert_array_equal(np.argsort(((point - x) ** 2) @ W), np.argsort(mean))


def test_moved__away_from_negative_examples_by_a_bounded_step() -> None:
    query, example = np.array([0.0, 0.0]), np.array([[2.0, 0.0]])
    np.testing.assert_allclose(moved(query, example, [-1.0]), [-AWAY, 0])
    far = moved(query, example, [-4.0])
    assert -2 * AWAY < far[0] < -AWAY, "more weight pushes more, and never past half the distance"
    both = moved(query, np.array([[2.0, 0.0], [0.0, 2.0]]), [-1.0, 1.0])
    np.testing.assert_allclose(both, [-AWAY, 1.0])


def test_terms__of_several_images_are_the_mean_over_them() -> None:
    rng = np.random.default_rng(1)
    images, x = rng.normal(size=(3, 2)), rng.normal(size=(5, 2))
    target = QueryPoint(Metric("weighted", W), images, images.mean(0))
    np.testing.assert_allclose(target.terms(x), np.mean([W * (image - x) ** 2 for image in images], axis=0))
    apart = [min(float(np.linalg.norm(image - one)) for image in images) for one in x]
    np.testing.assert_allclose(target.apart(x), apart)


def test_collapse__puts_siblings_and_copies_behind_the_first() -> None:
    found = [
        stored("first", [0, 0], lesion_id="L"),
        stored("sibling", [5, 0], lesion_id="L"),
        stored("resaved", [1e-4, 0]),
        stored("other", [1, 0], image="same"),
        stored("copy", [9, 0], image="same", lesion_id="M"),
        stored("lone", [2, 0]),
    ]
    x = np.array([one.latent for one in found], np.float64)
    groups = collapse(range(6), found, x, np.arange(6.0), 1e-3, 6)
    collapsed = {found[g.row].case.id: [(found[row].case.id, why) for row, why in g.hidden] for g in groups}
    assert collapsed == {
        "first": [("sibling", "lesion"), ("resaved", "duplicate")],
        "other": [("copy", "duplicate")],
        "lone": [],
    }


def test_collapse__separates_copies_from_neighbours_far_from_the_origin() -> None:
    found = [stored(f"c{i}", [1000 + i * 2e-3, 0]) for i in range(4)]
    x = np.array([[1000 + i * 2e-3, 0] for i in range(4)])
    assert len(collapse(range(4), found, x, np.arange(4.0), 1e-3, 4)) == 4


def test_collapse__lists_nothing_beyond_the_last_match() -> None:
    found = [
        stored("first", [1, 0], lesion_id="L"),
        stored("near-sibling", [2, 0], lesion_id="L"),
        stored("last", [3, 0]),
        stored("tied-sibling", [0, 3], lesion_id="L"),
        stored("far-sibling", [4, 0], lesion_id="L"),
        stored("next", [5, 0]),
    ]
    x = np.array([one.latent for one in found], np.float64)
    first, last = collapse(range(6), found, x, (x**2).sum(1), 1e-3, 2)
    assert [found[row].case.id for row, _ in first.hidden] == ["near-sibling", "tied-sibling"]
    assert (found[last.row].case.id, last.hidden) == ("last", [])


def test_collapse__finds_copies_across_blocks_of_cases() -> None:
    """Of a thousand pictures each third is a copy of one much earlier: the first of them stands for it."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 3)) * 100
    x[600::3] = x[: len(x[600::3])] + 1e-4
    found = [stored(f"c{i}", row.tolist()) for i, row in enumerate(x)]
    groups = collapse(range(1000), found, x, np.arange(1000.0), 1e-2, 1000)
    assert [group.row for group in groups] == [i for i in range(1000) if i < 600 or i % 3]
    hidden = {group.row: group.hidden for group in groups if group.hidden}
    assert hidden == {i: [(600 + 3 * i, "duplicate")] for i in range(len(x[600::3]))}


def test_collapse__lists_at_most_a_hundred_cases_and_says_that_there_are_more() -> None:
    found = [stored(f"c{i:03d}", [i, 0], lesion_id="L") for i in range(HIDDEN_SHOWN + 2)]
    x = np.array([one.latent for one in found], np.float64)
    for size, more in ((HIDDEN_SHOWN + 1, False), (HIDDEN_SHOWN + 2, True)):
        [group] = collapse(range(size), found, x, (x**2).sum(1), 1e-3, 5)
        assert [row for row, _ in group.hidden] == list(range(1, HIDDEN_SHOWN + 1))
        assert group.more_hidden == more


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.7, 1.0])
def test_diverse__is_the_greedy_choice_of_its_definition(diversity: float) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 3))
    x = x[np.argsort((x**2).sum(1))]
    distances, apart = np.linalg.norm(x, axis=1), distances_between(x)
    np.testing.assert_allclose(apart, np.linalg.norm(x[:, None] - x, axis=2), atol=1e-7)
    chosen: list[int] = []
    for _ in range(8):
        left = [i for i in range(30) if i not in chosen]
        spread = {i: min((apart[i, j] for j in chosen), default=0.0) for i in left}
        chosen.append(min(left, key=lambda i: (1 - diversity) * distances[i] - diversity * spread[i]))
    assert diverse(distances, apart, diversity, 8) == chosen
    assert diverse(distances, apart, 0.0, 8) == list(range(8))
    assert sorted(diverse(distances, apart, diversity, 99)) == list(range(30))
