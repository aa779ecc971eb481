"""Any folder of images with a table."""

from pathlib import Path

import pytest

from casekin.collections import CollectionSpec, Columns, open_collection
from tests.unit.collections.conftest import jpeg, write_table

OWN_TOML = """
title = "Our clinic"
licence = "internal"
unknown = ["", "?"]

[columns]
image = "File"
lesion = "Lesion"
diagnosis = "Label"
age = "Years"

[[diagnoses]]
code = "naevus"
name = "Mole"
malignant = false
colour = "#112233"

[labels.diagnosis]
naevus = "Mole"
"""


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """Two images of the same file name in two folders, a third, and a table as a spreadsheet program writes it."""
    for number, name in enumerate(("left/1.jpg", "right/1.jpg", "2.PNG")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(50 * number))
    header = ["Case", "File", "Lesion", "Label", "Years", "Phototype", "Remark"]
    rows = [
        ["c1", r"left\1.jpg", "L1", "naevus", "40", "II", "größer"],
        ["c2", "./right/1.jpg", "L1", "wart", "?", "?", ""],
        ["c3", "2", "?", "wart", "12", "III", ""],
    ]
    write_table(tmp_path / "cases.csv", [header, *rows], delimiter=";")
    (tmp_path / "cases.csv").write_bytes((tmp_path / "cases.csv").read_bytes().decode().encode("cp1252"))
    return tmp_path


def test_open_collection__toml_in_the_folder(own_folder: Path) -> None:
    (own_folder / "collection.toml").write_text(OWN_TOML.replace("[columns]", '[columns]\nid = "Case"'))
    collection = open_collection(own_folder)
    assert collection.skipped == []
    assert [row.case.id for row in collection.rows] == ["c1", "c2", "c3"]
    assert [row.image.read() for row in collection.rows] == [jpeg(0), jpeg(50), jpeg(100)]
    assert [row.case.lesion_id for row in collection.rows] == ["L1", "L1", None]
    assert [row.case.age for row in collection.rows] == [40.0, None, 12.0]
    assert collection.rows[0].case.attributes == {"Phototype": "II", "Remark": "größer"}
    assert collection.rows[1].case.attributes == {}
    assert collection.info.licence == "internal"


def test_open_collection__diagnoses_not_described_follow_by_frequency(own_folder: Path) -> None:
    (own_folder / "collection.toml").write_text(OWN_TOML)
    diagnoses = open_collection(own_folder).info.diagnoses
    assert [d.code for d in diagnoses] == ["naevus", "wart"]
    assert diagnoses[0].colour == "#112233"
    assert diagnoses[1].colour not in (None, "#112233")
    assert diagnoses[1].malignant is None


def test_open_collection__without_id_column_the_file_name_is_the_id(own_folder: Path) -> None:
    spec = CollectionSpec(title="x", columns=Columns(image="File"))
    collection = open_collection(own_folder, spec)
    assert [row.case.id for row in collection.rows] == ["1", "2"]
    assert [(skipped.id, skipped.code) for skipped in collection.skipped] == [("1", "doubled-id")]


def test_open_collection__toml_from_a_built_in_base(own_folder: Path) -> None:
    (own_folder / "collection.toml").write_text(
        'base = "ham10000"\ntitle = "Ours"\n[columns]\nimage = "File"\ndiagnosis = "Label"\n[labels.source]\nx = "X"\n'
    )
    info = open_collection(own_folder).info
    assert info.title == "Ours"
    assert info.labels["evidence"]["histo"] == "Histopathology"
    assert info.labels["source"] == {"x": "X"}
    assert {"mel", "naevus"} <= {diagnosis.code for diagnosis in info.diagnoses}


def test_open_collection__changed_file_is_read_when_asked_for(own_folder: Path) -> None:
    rows = open_collection(own_folder, CollectionSpec(title="x", columns=Columns(id="Case", image="File"))).rows
    (own_folder / "2.PNG").write_bytes(jpeg(7))
    assert rows[2].image.read() == jpeg(7)
