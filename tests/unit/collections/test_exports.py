"""Exports of the ISIC Archive and of NIH's chest X-rays, known by their columns."""

import io
from pathlib import Path

import pytest
from PIL import Image

from casekin.collections import built_in_names, built_in_spec, open_collection
from casekin.imaging.read import read_image
from tests.exports import ISIC_HEADER, NIH_HEADER, isic_rows, nih_rows, write_csv, write_isic, write_nih


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_spec__has_a_name_for_every_code_that_it_writes(name: str) -> None:
    spec = built_in_spec(name)
    for field, codes in spec.values.items():
        if field in spec.labels:
            assert set(codes.values()) <= set(spec.labels[field]), field
    assert len({diagnosis.code for diagnosis in spec.diagnoses}) == len(spec.diagnoses)


def test_isic__is_recognised_and_loses_nothing(tmp_path: Path) -> None:
    collection = open_collection(write_isic(tmp_path, 6))
    assert collection.info.title == "ISIC Archive"
    assert collection.skipped == []
    case = collection.rows[0].case
    assert (case.id, case.lesion_id, case.diagnosis) == ("ISIC_0000000", "IL_0000000", "Nevus")
    assert (case.evidence, case.age, case.sex, case.site) == ("histo", 45.0, "female", "posterior torso")
    assert case.attributes["diagnosis_1"] == "Benign"
    assert case.attributes["copyright_license"] == "CC-0"


def test_isic__patient_stays_with_the_row_and_enters_no_case(tmp_path: Path) -> None:
    rows = open_collection(write_isic(tmp_path, 4)).rows
    assert [row.patient for row in rows[::2]] == ["IP_0000000", "IP_0000000", "IP_0000001", "IP_0000001"]
    assert not any("IP_" in row.case.model_dump_json() for row in rows)


@pytest.mark.parametrize(
    ("levels", "diagnosis"),
    [
        (("Benign", "Benign melanocytic proliferations", "Nevus", "Nevus, Atypical"), "Nevus"),
        (("Benign", "Benign melanocytic proliferations", "", ""), "Benign melanocytic proliferations"),
        (("Indeterminate", "", "", ""), "Indeterminate"),
        (("", "", "", ""), None),
    ],
)
def test_isic__takes_level_three_or_the_next_coarser(
    tmp_path: Path, levels: tuple[str, ...], diagnosis: str | None
) -> None:
    folder = write_isic(tmp_path, 1)
    row = isic_rows(1)[0]
    write_csv(folder / "metadata.csv", ISIC_HEADER, [(*row[:5], *levels, *row[9:])])
    assert open_collection(folder).rows[0].case.diagnosis == diagnosis


@pytest.mark.parametrize(
    ("older", "code"),
    [
        ("nevus", "Nevus"),
        ("AIMP", "Atypical intraepithelial melanocytic proliferation"),
        ("melanoma", "Melanoma, NOS"),
        ("ephelis", "ephelis"),
    ],
)
def test_isic__reads_the_older_vocabulary_in_the_words_of_the_newer(tmp_path: Path, older: str, code: str) -> None:
    folder = write_isic(tmp_path, 1)
    write_csv(folder / "metadata.csv", ("isic_id", "diagnosis", "age_approx"), [("ISIC_0000000", older, "85+")])
    case = open_collection(folder).rows[0].case
    assert case.diagnosis == code
    assert case.age == 85


def test_nih__is_recognised_and_loses_nothing(tmp_path: Path) -> None:
    collection = open_collection(write_nih(tmp_path, 5))
    assert collection.info.title == "NIH ChestX-ray14"
    assert collection.skipped == []
    assert len(collection.rows) == 10
    case = collection.rows[0].case
    assert (case.id, case.lesion_id, case.age, case.sex) == ("00000001_000", "1", 58.0, "female")
    assert case.attributes["View Position"] == "PA"


def test_nih__rarest_finding_stands_for_the_image_and_all_are_kept(tmp_path: Path) -> None:
    rows = {row.case.lesion_id: row for row in open_collection(write_nih(tmp_path, 5)).rows}
    assert rows["3"].labels == ("Hernia", "Infiltration")
    assert rows["2"].labels == ("Cardiomegaly", "Effusion")
    assert rows["2"].case.diagnosis == "Cardiomegaly"
    assert rows["2"].case.attributes["Finding Labels"] == "Cardiomegaly|Effusion"
    assert rows["1"].labels == ("Effusion",)
    assert "Finding Labels" not in rows["1"].case.attributes


def test_nih__vocabulary_knows_labels_that_never_stand_first(tmp_path: Path) -> None:
    folder = write_nih(tmp_path, 1)
    write_csv(
        folder / "Data_Entry_2017.csv", NIH_HEADER, [(nih_rows(1)[0][0], "Hernia|Scoliosis", *nih_rows(1)[0][2:])]
    )
    collection = open_collection(folder)
    assert "Scoliosis" in {diagnosis.code for diagnosis in collection.info.diagnoses}


def test_nih__finding_too_long_for_a_code_is_named(tmp_path: Path) -> None:
    folder, row = write_nih(tmp_path, 1), nih_rows(1)[0]
    write_csv(folder / "Data_Entry_2017.csv", NIH_HEADER, [(row[0], f"Hernia|{'x' * 501}", *row[2:])])
    skipped = open_collection(folder).skipped[0]
    assert skipped.code == "bad-row"
    assert "diagnosis: 'xxx" in skipped.reason
    assert skipped.reason.endswith("has 501 characters; at most 500 are allowed")


@pytest.mark.parametrize(
    ("text", "years"), [("058Y", 58.0), ("018M", 1.5), ("000D", 0.0), ("052W", 52 * 7 / 365.25), ("60", 60.0)]
)
def test_nih__reads_ages_as_dicom_writes_them(tmp_path: Path, text: str, years: float) -> None:
    folder, row = write_nih(tmp_path, 1), nih_rows(1)[0]
    write_csv(folder / "Data_Entry_2017.csv", NIH_HEADER, [(*row[:4], text, *row[5:])])
    assert open_collection(folder).rows[0].case.age == pytest.approx(years)


def test_nih__age_of_a_slip_of_the_pen_is_unknown_and_noted(tmp_path: Path) -> None:
    folder, row = write_nih(tmp_path, 1), nih_rows(1)[0]
    write_csv(folder / "Data_Entry_2017.csv", NIH_HEADER, [(*row[:4], "414Y", *row[5:])])
    taken = open_collection(folder).rows[0]
    assert taken.case.age is None
    assert "'414Y'" in taken.note


def test_nih__later_issue_of_the_table_says_sex(tmp_path: Path) -> None:
    folder = write_nih(tmp_path, 1)
    header = tuple(name.replace("Gender", "Sex") for name in NIH_HEADER)
    write_csv(folder / "Data_Entry_2017.csv", header, nih_rows(1))
    assert open_collection(folder).rows[0].case.sex == "female"


def test_nih__grey_images_become_three_equal_channels(tmp_path: Path) -> None:
    data = open_collection(write_nih(tmp_path, 1)).rows[0].image.read()
    assert Image.open(io.BytesIO(data)).mode == "L"
    red, green, blue = read_image(data).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()
