from pathlib import Path

import numpy as np
import pytest

from benchmarks import seen
from benchmarks.places import ROOT
from benchmarks.seen_cases import _balanced, _one_each, _swaps
from benchmarks.seen_sheet import write_sheet
from casekin.bundle import read_manifest
from casekin.errors import BadInput
from training.data.cases import LabelledCase


def test_seen__refuses_the_teacher_as_a_judge(bundle: Path) -> None:
    with pytest.raises(BadInput, match="which taught its generator"):
        seen.refuse_teacher(read_manifest(bundle), read_manifest(bundle))


def test_seen__swaps_lesions_of_different_diagnoses_all_pairs_alike() -> None:
    labels = np.array([0] * 90 + [1] * 8 + [2] * 2)
    start, goal = _swaps(labels, 600, np.random.default_rng(0))
    assert (labels[start] != labels[goal]).all()
    pairs = np.unique(np.stack([labels[start], labels[goal]]), axis=1, return_counts=True)[1]
    assert len(pairs) == 6
    assert pairs.min() > 70


def test_seen__moves_dimensions_on_lesions_of_all_diagnoses_none_twice() -> None:
    labels = np.array([0] * 90 + [1] * 8 + [2] * 2)
    rows = _balanced(labels, 12, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 12
    assert np.bincount(labels[rows]).tolist() == [5, 5, 2]
    assert len(_balanced(labels, 1000, np.random.default_rng(0))) == 100


def test_seen__fits_judges_to_no_lesion_that_is_measured() -> None:
    cases = [LabelledCase(f"i{n}", f"l{n // 2}", "nv", n // 2 % 5) for n in range(40)]
    measured, others = _one_each(cases, (0,), np.random.default_rng(0))
    assert len(measured) == 4
    assert len(others) == 16
    assert not {case.lesion for case in measured} & {case.lesion for case in others}


def test_sheet__is_not_written_into_the_project() -> None:
    with pytest.raises(BadInput, match="lies inside the project"):
        write_sheet(ROOT / "build" / "sheet", None, None, None, None, np.arange(1))  # type: ignore[arg-type]
    assert not (ROOT / "build" / "sheet").exists()
