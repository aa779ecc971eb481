import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.retrieval import Labelled, area_under_curve, neighbours, retrieval_metrics

CLASSES = ["bcc", "mel", "nv"]


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


def test_area_under_curve__agrees_with_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(6)
    scores, positive = random.integers(0, 5, 200) / 5, random.random(200) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
