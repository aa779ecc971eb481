"""What training takes of a collection, and into which fold."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from casekin.collections import Row
from casekin.collections.files import LooseFile
from casekin.contracts.cases import Case
from casekin.errors import BadInput
from training.data.cases import LabelledCase, read_collection
from training.data.folds import assigned, hashed_fold, read_folds


def _row(id: str, lesion: str | None = None, patient: str | None = None) -> Row:
    return Row(Case(id=id, lesion_id=lesion, diagnosis="nv"), LooseFile(Path(id)), labels=("nv",), patient=patient)


def _table(file: Path, *rows: tuple[str, ...]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return file


def test_read_collection__shares_no_lesion_between_folds(collection_folder: Path) -> None:
    cases = read_collection(collection_folder).cases
    assert len(cases) == 60
    for one in range(5):
        inside = {case.lesion for case in cases if case.fold == one}
        assert inside
        assert not inside & {case.lesion for case in cases if case.fold != one}


def test_read_collection__takes_the_folds_of_folds_csv(collection_folder: Path) -> None:
    told = read_folds(collection_folder / "folds.csv")
    assert {case.id: case.fold for case in read_collection(collection_folder, folds=2).cases} == told


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([_row("a", "HAM_7"), _row("b", "HAM_7")], r"puts lesion HAM_7 into folds 0 \(a\) and 3 \(b\)"),
        ([_row("a", "HAM_7", "p1"), _row("b", "HAM_8", "p1")], r"puts patient p1 into folds 0 \(a\) and 3 \(b\)"),
        ([_row("a", None, "p1"), _row("b", "HAM_8", "p1")], r"puts patient p1 into folds 0 \(a\) and 3 \(b\)"),
    ],
)
def test_assigned__refuses_folds_csv_that_splits_a_lesion_or_a_patient(
    tmp_path: Path, rows: list[Row], words: str
) -> None:
    _table(tmp_path / "folds.csv", ("image_id", "fold"), ("a", "0"), ("b", "3"))
    with pytest.raises(BadInput, match=words):
        assigned(tmp_path, rows, 5)


def test_assigned__takes_folds_csv_that_leaves_the_other_images_of_a_patient_out(tmp_path: Path) -> None:
    _table(tmp_path / "folds.csv", ("image_id", "fold"), ("a", "2"))
    found = assigned(tmp_path, [_row("a", "HAM_7", "p1"), _row("b", "HAM_8", "p1")], 5)
    assert {id: folding.number for id, folding in found.items()} == {"a": 2}


def test_assigned__keeps_patients_together_that_a_lesion_s_images_disagree_about(tmp_path: Path) -> None:
    rows = [_row("a", "l1", "p2"), _row("b", "l1", "p1"), _row("c", "l2", "p2"), _row("d", "l3", "p1"), _row("e", "l3")]
    assert {folding.number for folding in assigned(tmp_path, rows, 50).values()} == {hashed_fold("patient p1", 50)}


def test_assigned__is_stable_when_images_are_added(tmp_path: Path) -> None:
    rows = [_row(f"i{n}", f"l{n // 3}") for n in range(60)]
    before = assigned(tmp_path, rows[:40], 5)
    after = assigned(tmp_path, rows, 5)
    assert {id: after[id] for id in before} == before


def test_assigned__keeps_lesions_and_patients_together(tmp_path: Path) -> None:
    rows = [_row(f"i{n}", f"l{n % 30}", f"p{n % 10}" if n < 30 else None) for n in range(60)]
    folds = assigned(tmp_path, rows, 5)
    for row in rows:
        patient = int((row.case.lesion_id or "").removeprefix("l")) % 10
        assert folds[row.case.id].number == hashed_fold(f"patient p{patient}", 5)


def test_assigned__never_takes_a_patient_for_a_lesion_of_the_same_number(tmp_path: Path) -> None:
    folds = assigned(tmp_path, [_row("a", "1"), _row("b", None, "1"), _row("1")], 5)
    assert len({folding.lesion for folding in folds.values()}) == 3


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_hashed_fold__spreads_evenly(folds: int) -> None:
    counts = Counter(hashed_fold(f"HAM_{n:07d}", folds) for n in range(5000))
    assert set(counts) == set(range(folds))
    assert max(counts.values()) < 1.2 * 5000 / folds


def test_hashed_fold__is_the_same_everywhere() -> None:
    assert [hashed_fold(name, 5) for name in ("HAM_0000118", "HAM_0000119", "patient 7")] == [1, 3, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("name", "fold"), ("a", "1")], "no column image_id or isic_id or id; it has name, fold"),
        ([("image_id", "split"), ("a", "1")], "no column fold; it has image_id, split"),
        ([("image_id", "fold"), ("a", "train")], "line 2: fold 'train' is no whole number"),
        ([("image_id", "fold"), ("a", "1"), ("a", "2")], "line 3: a is in fold 2 and in another"),
    ],
)
def test_read_folds__says_what_is_wrong(tmp_path: Path, rows: list[tuple[str, ...]], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_folds(_table(tmp_path / "folds.csv", *rows))


def test_read_collection__says_which_mappings_there_are(collection_folder: Path) -> None:
    with pytest.raises(BadInput, match="no mapping 'derm7pt'; known: ham10000, isic, nih, or a TOML file"):
        read_collection(collection_folder, "derm7pt")


def test_read_collection__names_the_columns_that_a_mapping_needs(collection_folder: Path) -> None:
    with pytest.raises(BadInput, match="has the columns Image Index, Patient ID, Finding Labels: HAM10000_metadata"):
        read_collection(collection_folder, "nih")


def test_labelled_case__has_all_its_diagnoses_be_it_one_or_several() -> None:
    one = LabelledCase("a", "l", "nv", 0)
    assert one.diagnoses == ("nv",)
    assert replace(one, labels=("nv", "mel")).diagnoses == ("nv", "mel")
