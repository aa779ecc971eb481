from collections.abc import Callable

import numpy as np
import pytest

from tests.vocabularies import ham10000_vocabulary
from training.data.cases import LabelledCase
from training.evaluation.bootstrap import retrieval_intervals
from training.evaluation.split import Split, Vectors
from training.evaluation.subgroups import age_group, subgroups


@pytest.mark.parametrize(
    ("age", "group"),
    [
        (0, "0 to 29"),
        (29, "0 to 29"),
        (30, "30 to 44"),
        (74.5, "60 to 74"),
        (75, "75 and older"),
        (None, "not recorded"),
    ],
)
def test_age_group__holds_its_lower_end(case: Callable[..., LabelledCase], age: float | None, group: str) -> None:
    assert age_group(case(0, age=age)) == group


def test_subgroups__find_where_a_model_fails_and_mark_small_groups(case: Callable[..., LabelledCase]) -> None:
    random = np.random.default_rng(0)
    told = [
        {
            "sex": "male" if i % 2 else "female",
            "site": "back" if i % 20 else "ear",
            "age": 50.0,
            "diagnosis": "mel" if i % 4 < 2 else "nv",
            "fold": int(i >= 200),
        }
        for i in range(400)
    ]
    cases = [case(i, **row) for i, row in enumerate(told)]
    truth = np.array([float(row["diagnosis"] == "mel") for row in told])
    # Of women it knows the diagnosis, of men nothing.
    known = np.where([row["sex"] == "female" for row in told], truth * 9, random.normal(size=400) * 5)
    latents = np.stack([known, np.array([row["sex"] == "male" for row in told]) * 99.0], 1)
    split = Split(cases, ham10000_vocabulary("mel", "nv"), (0,))
    groups = {
        (group.by, group.name): group for group in subgroups(split, split.retrieve(Vectors("v", latents, np.ones(2))))
    }
    assert groups["sex", "female"].figures["p_at_1_macro"].value == 1
    assert groups["sex", "male"].figures["p_at_1_macro"].high < 0.8
    assert groups["site", "ear"].queries == 10
    assert groups["site", "ear"].too_small
    assert groups["site", "ear"].figures == {}
    assert not groups["site", "back"].too_small
    assert groups["age", "45 to 59"].malignant == 100
    assert groups["evidence", "not recorded"].queries == 200
    assert [name for by, name in groups if by == "site"] == ["back", "ear"]


def test_subgroups__leave_rare_diagnoses_out_of_means_over_diagnoses(case: Callable[..., LabelledCase]) -> None:
    # Forty nevi that are found; twelve keratoses and two melanomas that are not.
    told = ["nv"] * 40 + ["bkl"] * 12 + ["mel"] * 2
    queries = [case(i, fold=0, diagnosis=diagnosis) for i, diagnosis in enumerate(told)]
    gallery = [case(i) for i in range(54, 120)]
    split = Split([*queries, *gallery], ham10000_vocabulary("bkl", "mel", "nv"), (0,))
    outcomes = split.retrieve(Vectors("v", np.zeros((120, 1)), np.ones(1)))
    found = next(group for group in subgroups(split, outcomes) if group.by == "sex")
    assert (found.queries, found.malignant, found.diagnoses) == (54, 2, 2)
    assert found.figures["p_at_1_macro"].value == 0.5
    assert found.figures["p_at_1_micro"].value == pytest.approx(40 / 54)
    assert not {"melanoma_p_at_5", "auc_malignant_16"} & found.figures.keys()


def test_subgroups__give_no_mean_over_diagnoses_of_one(case: Callable[..., LabelledCase]) -> None:
    split = Split([case(i, fold=int(i >= 40)) for i in range(80)], ham10000_vocabulary("mel", "nv"), (0,))
    outcomes = split.retrieve(Vectors("v", np.arange(80.0)[:, None], np.ones(1)))
    assert all(group.figures.keys() == {"p_at_1_micro"} for group in subgroups(split, outcomes))


def test_subgroups__measure_without_each_source_and_on_each_evidence_alone(case: Callable[..., LabelledCase]) -> None:
    # An easy source has benign images that are always found; malignancy is told by chance in the other.
    random = np.random.default_rng(1)
    cases, latents = [], []
    for number in range(400):
        easy, malignant = number % 2 == 0, number % 4 == 1
        cases.append(
            case(
                number,
                fold=int(number >= 200),
                source="easy" if easy else "hard",
                evidence="histo" if malignant else "follow_up",
                diagnosis="mel" if malignant else "nv",
            )
        )
        latents.append([99.0 if easy else 0.0, random.normal()])
    split = Split(cases, ham10000_vocabulary("mel", "nv"), (0,))
    outcomes = split.retrieve(Vectors("v", np.array(latents), np.ones(2)))
    groups = {(group.by, group.name): group for group in subgroups(split, outcomes)}
    every = retrieval_intervals(outcomes)["auc_malignant_16"]
    without = groups["without source", "easy"].figures["auc_malignant_16"]
    assert every.value > 0.75
    assert without.low < 0.5 < without.high
    assert groups["without source", "easy"].queries == groups["source", "hard"].queries == 100
    assert groups["without source", "hard"].malignant == 0
    assert (groups["evidence", "histo"].queries, groups["evidence", "histo"].malignant) == (50, 50)


def test_subgroups__leave_out_no_source_where_there_is_only_one(case: Callable[..., LabelledCase]) -> None:
    cases = [case(i, fold=int(i >= 40), source="phantom") for i in range(80)]
    split = Split(cases, ham10000_vocabulary("mel", "nv"), (0,))
    outcomes = split.retrieve(Vectors("v", np.arange(80.0)[:, None], np.ones(1)))
    assert "without source" not in {group.by for group in subgroups(split, outcomes)}
