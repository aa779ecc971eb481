from dataclasses import replace

import numpy as np
import pytest

from tests.vocabularies import ham10000_vocabulary
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.retrieval import VALUES, Labelled, neighbours, retrieve

CLASSES = ham10000_vocabulary("bcc", "mel", "nv")


def _random(count: int, seed: int, prefix: str) -> Labelled:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    return Labelled(random.normal(size=(count, 4)) + labels[:, None], labels, [f"{prefix}{i}" for i in range(count)])


def test_neighbours__agree_with_a_plain_loop() -> None:
    queries, gallery, weights = _random(5, 0, "q"), _random(40, 1, "g"), np.array([2.0, 0.0, 0.5, 1.0])
    order, distances = neighbours(queries, gallery, weights, 6)
    for row, query in enumerate(queries.latents):
        plain = [float(np.sqrt((weights * (query - case) ** 2).sum())) for case in gallery.latents]
        assert order[row].tolist() == np.argsort(plain)[:6].tolist()
        np.testing.assert_allclose(distances[row], np.sort(plain)[:6])


def test_neighbours__never_return_a_case_of_the_query_s_own_lesion() -> None:
    gallery = _random(40, 2, "g")
    order, _ = neighbours(gallery, gallery, np.ones(4), 16)
    assert not (order == np.arange(40)[:, None]).any()


def test_retrieval_metrics__agree_with_a_plain_loop() -> None:
    queries, gallery = _random(60, 3, "q"), _random(300, 4, "g")
    figures = retrieval_metrics(queries, gallery, np.ones(4), CLASSES)
    at_1: dict[int, list[float]] = {0: [], 1: [], 2: []}
    at_5: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for query, label in zip(queries.latents, queries.labels, strict=True):
        nearest = np.argsort(((gallery.latents - query) ** 2).sum(1))[:5]
        agree = gallery.labels[nearest] == label
        at_1[int(label)].append(float(agree[0]))
        at_5[int(label)].append(float(agree.mean()))
    assert figures["p_at_1_macro"] == pytest.approx(np.mean([np.mean(v) for v in at_1.values()]))
    assert figures["p_at_5_macro"] == pytest.approx(np.mean([np.mean(v) for v in at_5.values()]))
    assert figures["p_at_5_micro"] == pytest.approx(np.mean([value for values in at_5.values() for value in values]))
    assert figures["melanoma_p_at_5"] == pytest.approx(np.mean(at_5[1]))


def test_retrieval_metrics__give_one_for_separated_diagnoses_and_a_third_for_always_the_same() -> None:
    labels = np.repeat([0, 1, 2], 20)
    apart = Labelled(labels[:, None] * 10.0, labels, [f"g{i}" for i in range(60)])
    asked = Labelled(labels[::20][:, None] * 10.0, labels[::20], ["q0", "q1", "q2"])
    assert set(retrieval_metrics(asked, apart, np.ones(1), CLASSES).values()) == {1.0}
    only_nv = Labelled(np.zeros((60, 1)), np.full(60, 2), [f"g{i}" for i in range(60)])
    figures = retrieval_metrics(asked, only_nv, np.ones(1), CLASSES)
    assert figures["knn5_balanced"] == pytest.approx(1 / 3)
    assert figures["auc_malignant_16"] == 0.5


def test_retrieval_metrics__break_a_tie_of_votes_by_the_nearer_case() -> None:
    gallery = Labelled(
        np.arange(1.0, 21.0)[:, None], np.array([1, 0, 0, 1, 2] + [2] * 15), [f"g{i}" for i in range(20)]
    )
    asked = Labelled(np.zeros((1, 1)), np.array([1]), ["q"])
    assert retrieval_metrics(asked, gallery, np.ones(1), CLASSES)["knn5_accuracy"] == 1


def test_ask__average_precision_agrees_with_a_count_by_hand() -> None:
    # The query's diagnosis is 1. Matches 1, 3 and 4 have it, and so has one beyond the tenth: R = 4.
    labels = np.array([1, 0, 1, 1, 0, 2, 2, 2, 2, 2, 1, 2])
    gallery = Labelled(np.arange(1.0, 13.0)[:, None], labels, [f"g{i}" for i in range(12)])
    asked = Labelled(np.zeros((1, 1)), np.array([1]), ["q"])
    found = dict(zip(VALUES, retrieve(asked, gallery, np.ones(1), CLASSES).values[0], strict=True))
    assert found["map_10"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 4)
    assert (found["p_at_1"], found["p_at_5"], found["p_at_10"]) == (1, 0.6, 0.3)


def test_ask__average_precision_is_one_when_all_there_are_come_first() -> None:
    labels = np.array([1, 1, *[0] * 18])
    gallery = Labelled(np.arange(1.0, 21.0)[:, None], labels, [f"g{i}" for i in range(20)])
    asked = Labelled(np.zeros((1, 1)), np.array([1]), ["q"])
    assert retrieve(asked, gallery, np.ones(1), CLASSES).values[0, VALUES.index("map_10")] == 1
    # A sibling of the query is neither found nor missed.
    with_sibling = replace(gallery, lesions=["q", *gallery.lesions[1:]])
    assert retrieve(asked, with_sibling, np.ones(1), CLASSES).values[0, VALUES.index("map_10")] == 1


def test_ask__votes_divided_by_the_prior_favour_the_rare() -> None:
    labels = np.array([0, 0, *[2] * 78])
    gallery = Labelled(np.arange(1.0, 81.0)[:, None], labels, [f"g{i}" for i in range(80)])
    asked = Labelled(np.zeros((1, 1)), np.array([0]), ["q"])
    outcomes = retrieve(asked, gallery, np.ones(1), CLASSES)
    found = dict(zip(VALUES, outcomes.values[0], strict=True))
    assert (found["knn5"], found["knn5_by_prior"]) == (0, 1)
    np.testing.assert_allclose(outcomes.shares, [[2 / 16, 0, 14 / 16]])
    rare, frequent = (2 / 16) / (2 / 80), (14 / 16) / (78 / 80)
    np.testing.assert_allclose(outcomes.shares_by_prior, [[rare / (rare + frequent), 0, frequent / (rare + frequent)]])
