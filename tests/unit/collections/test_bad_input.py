"""What cannot be taken is named with its reason; the rest goes on."""

import zipfile
from pathlib import Path

import pytest

from casekin.collections import built_in_spec, open_collection
from casekin.errors import BadInput, CorruptImage, UploadTooLarge
from tests.unit.collections.conftest import HEADER, ROWS, jpeg, write_table, write_zip


def codes(folder: Path) -> list[tuple[str, str]]:
    return [(skipped.id.rsplit("/", 1)[-1], skipped.code) for skipped in open_collection(folder).skipped]


def test_rows__row_without_image(make_folder) -> None:
    folder = make_folder(without=("ISIC_2.jpg",))
    collection = open_collection(folder)
    assert codes(folder) == [("ISIC_2", "no-image")]
    assert "line 3" in collection.skipped[0].reason
    assert len(collection.rows) == 2


def test_rows__image_without_row(make_folder) -> None:
    folder = make_folder(**{"stray.png": jpeg(1)})
    assert codes(folder) == [("stray.png", "no-row")]
    assert len(open_collection(folder).rows) == 3


def test_rows__doubled_id_keeps_the_first(make_folder) -> None:
    again = [*ROWS[0][:2], "mel", *ROWS[0][3:]]
    folder = make_folder([*ROWS, again])
    collection = open_collection(folder)
    assert codes(folder) == [("ISIC_1", "doubled-id")]
    assert "line 5" in collection.skipped[0].reason
    assert "line 2" in collection.skipped[0].reason
    assert collection.rows[0].case.diagnosis == "nv"


@pytest.mark.parametrize("age", ["", "unknown", "NA", "nan", "NaN", "None"])
def test_age__unknown_is_none_without_a_note(make_folder, age: str) -> None:
    row = open_collection(make_folder([[*ROWS[0][:4], age, *ROWS[0][5:]]], without=("ISIC_2.jpg", "ISIC_3.jpg"))).rows[
        0
    ]
    assert row.case.age is None
    assert row.note == ""


@pytest.mark.parametrize("age", ["abc", "900", "-5", "inf", "1e9"])
def test_age__that_cannot_be_is_kept_as_unknown_and_noted(make_folder, age: str) -> None:
    row = open_collection(make_folder([[*ROWS[0][:4], age, *ROWS[0][5:]]])).rows[0]
    assert row.case.age is None
    assert repr(age) in row.note


@pytest.mark.parametrize(("age", "years"), [("45", 45.0), ("45.0", 45.0), ("0", 0.0), ("62,5", 62.5)])
def test_age__numbers(make_folder, age: str, years: float) -> None:
    assert open_collection(make_folder([[*ROWS[0][:4], age, *ROWS[0][5:]]])).rows[0].case.age == years


def test_rows__unusable_ids_and_ragged_lines(make_folder) -> None:
    bad = [["HAM_9", "../../etc/passwd", *ROWS[0][2:]], ["HAM_9", "", *ROWS[0][2:]], ["HAM_9", "ISIC_9"]]
    folder = make_folder([*ROWS, *bad])
    assert codes(folder) == [("passwd", "no-image"), ("", "no-id"), ("HAM_9", "bad-row")]


@pytest.mark.parametrize("name", ["a b", "Zürich (2)", "a" * 140])
def test_rows__ids_as_hospitals_have_them(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.jpg").write_bytes(jpeg(9))
    write_table(tmp_path / "x.csv", [HEADER, ["HAM_9", name, *ROWS[0][2:]]])
    assert [row.case.id for row in open_collection(tmp_path).rows] == [name]


def test_rows__id_beyond_the_limit_names_value_and_limit(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(9))
    write_table(tmp_path / "x.csv", [["image", *HEADER], ["a.jpg", "HAM_9", "i" * 201, *ROWS[0][2:]]])
    spec = built_in_spec("ham10000")
    spec = spec.model_copy(update={"columns": spec.columns.model_copy(update={"image": "image"})})
    reason = open_collection(tmp_path, spec).skipped[0].reason
    assert "id: 'iii" in reason
    assert reason.endswith("has 201 characters; at most 200 are allowed")


def test_zip__corrupt_one_is_named_and_the_other_goes_on(tmp_path: Path, images: dict[str, bytes]) -> None:
    write_table(tmp_path / "HAM10000_metadata.tab", [HEADER, *ROWS], delimiter="\t")
    write_zip(tmp_path / "HAM10000_images_part_1.zip", {"ISIC_1.jpg": images["ISIC_1.jpg"]})
    (tmp_path / "HAM10000_images_part_2.zip").write_bytes(b"PK\x03\x04 and then the connection broke")
    assert codes(tmp_path) == [
        ("HAM10000_images_part_2.zip", "corrupt-zip"),
        ("ISIC_2", "no-image"),
        ("ISIC_3", "no-image"),
    ]
    assert [row.case.id for row in open_collection(tmp_path).rows] == ["ISIC_1"]


def test_zip__damaged_member_is_an_error_of_that_image_only(tmp_path: Path, images: dict[str, bytes]) -> None:
    write_table(tmp_path / "m.csv", [HEADER, *ROWS])
    file = tmp_path / "all.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in images.items():
            archive.writestr(name, data)
    raw = bytearray(file.read_bytes())
    at = raw.index(images["ISIC_2.jpg"]) + 50
    raw[at] ^= 0xFF
    file.write_bytes(raw)
    rows = open_collection(tmp_path).rows
    assert rows[0].image.read() == images["ISIC_1.jpg"]
    with pytest.raises(CorruptImage, match=r"ISIC_2\.jpg cannot be unpacked"):
        rows[1].image.read()
    assert rows[2].image.read() == images["ISIC_3.jpg"]


def test_zip__bomb_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    write_table(tmp_path / "m.csv", [HEADER, ROWS[0]])
    write_zip(tmp_path / "all.zip", {"ISIC_1.jpg": bytes(20_000_000)})
    assert len(open_collection(tmp_path).rows[0].image.read()) == 20_000_000
    write_zip(tmp_path / "all.zip", {"ISIC_1.jpg": bytes(20_000_001)})
    with pytest.raises(UploadTooLarge, match="more than 20 MB"):
        open_collection(tmp_path).rows[0].image.read()


def test_zip__member_names_never_become_paths(tmp_path: Path, images: dict[str, bytes]) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write_table(inside / "m.csv", [HEADER, ROWS[0]])
    write_zip(inside / "all.zip", {"../../ISIC_1.jpg": images["ISIC_1.jpg"], "/etc/ISIC_2.jpg": b"x"})
    before = sorted(tmp_path.rglob("*"))
    assert open_collection(inside).rows[0].image.read() == images["ISIC_1.jpg"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no table"),
        ({"notes.txt": "just a line of prose\n"}, "holds no table"),
        (
            {"a.csv": "file,label\nx.jpg,nv\n"},
            "neither a download of HAM10000, ISIC, NIH nor described by a collection.toml",
        ),
        ({"a.csv": ",".join(HEADER) + ",dx\n"}, "names a column twice: dx"),
        ({"collection.toml": "title = 'x'\ncolour = 'red'\n"}, "colour: Extra inputs are not permitted"),
        ({"collection.toml": "title = "}, "cannot be read as TOML"),
        ({"collection.toml": "title = 'x'\n[columns]\nid = 'ident'\n", "a.csv": "a,b\n"}, "has the columns ident"),
        ({"collection.toml": "base = 'derm7pt'\n"}, "no built-in collection 'derm7pt'; known: ham10000"),
    ],
)
def test_open_collection__refuses_with_what_would_help(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput) as refusal:
        open_collection(tmp_path)
    assert words in refusal.value.detail


def test_open_collection__several_tables_and_one_named(make_folder) -> None:
    folder = make_folder()
    write_table(folder / "other.csv", [HEADER, ROWS[0]])
    assert len(open_collection(folder, metadata="other.csv").rows) == 1


def test_open_collection__no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere is not a folder or zip"):
        open_collection(tmp_path / "nowhere")
