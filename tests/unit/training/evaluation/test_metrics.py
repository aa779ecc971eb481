from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from casekin.contracts.collection import Diagnosis
from tests.vocabularies import ham10000_vocabulary
from training.data.vocabulary import Vocabulary
from training.evaluation.metrics import area_under_curve, by_diagnosis, counted_once, figures
from training.evaluation.retrieval import Labelled, Outcomes, retrieve

CLASSES = ham10000_vocabulary("bcc", "mel", "nv")


@pytest.fixture
def outcomes() -> Outcomes:
    random = np.random.default_rng(3)

    def drawn(count: int, prefix: str) -> Labelled:
        labels = random.choice(3, count, p=[0.2, 0.2, 0.6])
        latents = random.normal(size=(count, 3)) + labels[:, None]
        return Labelled(latents, labels, [f"{prefix}{i // 2}" for i in range(count)])

    return retrieve(drawn(80, "q"), drawn(200, "g"), np.ones(3), CLASSES)


def test_area_under_curve__agrees_with_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(6)
    scores, positive = random.integers(0, 5, 200) / 5, random.random(200) < 0.3
    ours = area_under_curve(scores, positive, np.ones((1, 200)))
    assert ours[0] == pytest.approx(roc_auc_score(positive, scores))


def test_area_under_curve__of_samples_agrees_with_scikit_learn_weighted_by_counts() -> None:
    random = np.random.default_rng(7)
    scores, positive = random.integers(0, 9, 60) / 9, random.random(60) < 0.4
    counts = random.integers(0, 4, (5, 60)).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in counts]
    np.testing.assert_allclose(area_under_curve(scores, positive, counts), expected)


def test_figures__of_votes_agree_with_scikit_learn(outcomes: Outcomes) -> None:
    first = outcomes.found[:, 0]
    measured = figures(outcomes, counted_once(outcomes))
    assert measured["p_at_1_macro"][0] == pytest.approx(balanced_accuracy_score(outcomes.truth, first))
    malignant = np.isin(outcomes.truth, [0, 1])
    score = np.isin(outcomes.found, [0, 1]).mean(1)
    assert measured["auc_malignant_16"][0] == pytest.approx(roc_auc_score(malignant, score))


def test_figures__of_a_sample_are_those_of_its_queries_repeated(outcomes: Outcomes) -> None:
    counts = np.random.default_rng(1).integers(0, 3, (1, 80))
    repeated = outcomes.take(np.repeat(np.arange(80), counts[0]))
    sampled, plain = figures(outcomes, counts.astype(float)), figures(repeated, counted_once(repeated))
    assert sampled.keys() == plain.keys()
    for name, value in plain.items():
        np.testing.assert_allclose(sampled[name], value, err_msg=name)


def test_figures__follow_what_the_collection_calls_malignant(outcomes: Outcomes) -> None:
    described = [Diagnosis(code="nv", name="Nevoid melanoma", malignant=True)]
    turned = replace(outcomes, vocabulary=Vocabulary.of(CLASSES.codes, described))
    measured = figures(turned, counted_once(turned))
    score = (outcomes.found == 2).mean(1)
    assert measured["auc_malignant_16"][0] == pytest.approx(roc_auc_score(outcomes.truth == 2, score))
    expected = (outcomes.found[outcomes.truth == 2, :5] == 2).mean()
    assert measured["melanoma_p_at_5"][0] == pytest.approx(expected)
    unsaid = replace(outcomes, vocabulary=Vocabulary(CLASSES.codes))
    assert not {"auc_malignant_16", "melanoma_p_at_5"} & figures(unsaid, counted_once(unsaid)).keys()


def test_figures__count_one_kind_of_melanoma_as_a_match_of_another(outcomes: Outcomes) -> None:
    described = [Diagnosis(code=code, name=f"Melanoma {code}", malignant=True) for code in ("bcc", "mel")]
    both = replace(outcomes, vocabulary=Vocabulary.of(CLASSES.codes, described))
    expected = (outcomes.found[outcomes.truth < 2, :5] < 2).mean()
    assert figures(both, counted_once(both))["melanoma_p_at_5"][0] == pytest.approx(expected)


def test_figures__leave_out_what_no_query_can_tell(outcomes: Outcomes) -> None:
    benign = figures(outcomes.take(outcomes.truth == 2), np.ones((1, int((outcomes.truth == 2).sum()))))
    assert "melanoma_p_at_5" not in benign
    assert "auc_malignant_16" not in benign
    assert benign["p_at_1_macro"][0] == benign["p_at_1_micro"][0]


def test_by_diagnosis__is_not_a_number_where_a_sample_lacks_the_diagnosis(outcomes: Outcomes) -> None:
    counts = np.stack([np.ones(80), (outcomes.truth != 1).astype(float)])
    means = by_diagnosis(outcomes, counts)
    assert not np.isnan(means[0]).any()
    assert np.isnan(means[1, 1]).all()
    assert not np.isnan(figures(outcomes, counts)["p_at_1_macro"]).any()
