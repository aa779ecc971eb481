from collections.abc import Callable

import numpy as np
import pytest

from tests.vocabularies import ham10000_vocabulary
from training.data.cases import LabelledCase
from training.evaluation.split import Split, Vectors


def test_split__asks_about_its_folds_and_finds_in_the_others(case: Callable[..., LabelledCase]) -> None:
    cases = [case(i, fold=i % 3, diagnosis="mel" if i % 2 else "nv") for i in range(12)]
    split = Split(cases, ham10000_vocabulary("mel", "nv"), (1,))
    assert split.queries.tolist() == [1, 4, 7, 10]
    assert set(split.gallery) | set(split.queries) == set(range(12))
    outcomes = split.retrieve(Vectors("position", np.arange(12.0)[:, None], np.ones(1)))
    assert outcomes.truth.tolist() == [0, 1, 0, 1]
    assert outcomes.found[0, :2].tolist() == [1, 1]  # cases 0 and 2


@pytest.mark.parametrize("folds", [(7,), (0, 1, 2)])
def test_split__refuses_folds_that_leave_nothing_to_ask_or_to_find(
    case: Callable[..., LabelledCase], folds: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="name other folds"):
        Split([case(i, fold=i % 3) for i in range(12)], ham10000_vocabulary("nv"), folds)


def test_split__refuses_a_diagnosis_that_the_model_does_not_know(case: Callable[..., LabelledCase]) -> None:
    with pytest.raises(ValueError, match="cases have scc"):
        Split([case(0, fold=0, diagnosis="scc"), case(1)], ham10000_vocabulary("mel", "nv"), (0,))
