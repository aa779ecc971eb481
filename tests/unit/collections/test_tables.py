"""Tables as spreadsheet programs and exports write them."""

import codecs
from pathlib import Path

import pytest

from casekin.collections import CollectionSpec, Columns, open_collection, read_table
from casekin.errors import BadInput
from tests.unit.collections.conftest import jpeg

SPEC = CollectionSpec(title="x", columns=Columns(image="File", diagnosis="Diagnosis", age="Age"))
PLAIN = "File;Diagnosis;Age;Remark\n1.jpg;nævus;40;größer\n2.jpg;;;\n"


FORMS: dict[str, bytes] = {
    "plain": PLAIN.encode(),
    "windows line ends": PLAIN.replace("\n", "\r\n").encode(),
    "old Mac line ends": PLAIN.replace("\n", "\r").encode(),
    "no line end at the end": PLAIN.strip().encode(),
    "cp1252": PLAIN.encode("cp1252"),
    "UTF-8 with mark": codecs.BOM_UTF8 + PLAIN.encode(),
    "UTF-16 with mark": PLAIN.encode("utf-16"),
    "UTF-16 big end first with mark": codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
    "UTF-16 without mark": PLAIN.encode("utf-16-le"),
    "UTF-16 big end first without mark": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "comma": PLAIN.replace(";", ",").encode(),
    "tab": PLAIN.replace(";", "\t").encode(),
    "pipe": PLAIN.replace(";", "|").encode(),
    "Excel's separator line": b"sep=;\r\n" + PLAIN.encode(),
    "Excel's separator line in quotes": b'"sep=;"\r\n' + PLAIN.encode(),
    "unusual separator that is declared": b"sep=^\r\n" + PLAIN.replace(";", "^").encode(),
    "Excel's empty columns": PLAIN.replace("\n", ";;;\n").encode(),
    "Excel's empty lines": PLAIN.encode() + b";;;\n;;;\n",
    "blank line first": b"\n" + PLAIN.encode(),
    "blank cells first": b";;;\n" + PLAIN.encode(),
    "title first": b"Cases of our clinic, spring 2023\n\n" + PLAIN.encode(),
    "title and notes first": b"Cases; exported\n# by A, B and C\nsee overleaf; please; now; all; of; it\n"
    + PLAIN.encode(),
    "names in other case": PLAIN.replace("File;Diagnosis", "FILE; diagnosis ").encode(),
    "names in quotes with a line break": PLAIN.replace("Remark", '"Remark\n(free text)"').encode(),
    "a quotation mark in a name": PLAIN.replace("Remark", '"Remark').encode(),
    "line cut off after the known columns": PLAIN.replace("2.jpg;;;", "2.jpg;;").encode(),
    "commas within the names": PLAIN.replace("Remark", '"Remark, free, or none, or, or"').encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_table__is_read_in_every_form(tmp_path: Path, form: str) -> None:
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(jpeg(1))
    (tmp_path / "cases.csv").write_bytes(FORMS[form])
    collection = open_collection(tmp_path, SPEC)
    assert collection.skipped == []
    first, second = (row.case for row in collection.rows)
    assert (first.id, first.diagnosis, first.age) == ("1", "nævus", 40)
    assert list(first.attributes.values()) == ["größer"]
    assert (second.id, second.diagnosis, second.age, second.attributes) == ("2", None, None, {})


def test_table__value_in_a_column_without_a_name_is_kept(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "cases.csv").write_text("File,,Diagnosis,,Age\n1.jpg,left,nv,arm,3\n")
    assert open_collection(tmp_path, SPEC).rows[0].case.attributes == {"column 2": "left", "column 4": "arm"}


def test_table__further_column_of_a_name_that_is_there_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "cases.csv").write_text("File,Note,Diagnosis,Note,Age\n1.jpg,left,nv,arm,3\n")
    assert open_collection(tmp_path, SPEC).rows[0].case.attributes == {"Note": "left", "Note 4": "arm"}


@pytest.mark.parametrize("cells", ["1.jpg;nv;4;x;y", "1.jpg;nv", "1.jpg"])
def test_table__line_of_another_length_is_named(tmp_path: Path, cells: str) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "cases.csv").write_text(f"a title\nFile;Diagnosis;Age;Remark\n{cells}\n")
    skipped = open_collection(tmp_path, SPEC).skipped
    assert [one.code for one in skipped] == ["bad-row", "no-row"]
    assert f"line 3 has {cells.count(';') + 1} values where the header names 4 columns" in skipped[0].reason


def test_table__number_of_a_line_counts_those_within_quotes_and_before_the_header(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    text = 'title\n\nFile;Diagnosis;Age\n1.jpg;"a\nb\nc";1\n\nmissing.jpg;"d\ne";2\nlast.jpg;f;2\n'
    (tmp_path / "cases.csv").write_text(text)
    reasons = [one.reason for one in open_collection(tmp_path, SPEC).skipped]
    assert ["line 8:" in reasons[0], "line 10:" in reasons[1]] == [True, True], reasons


def test_table__quotation_mark_that_is_never_closed_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text('File;Diagnosis;Age\n1.jpg;nv;1\n2.jpg;"open;2\n3.jpg;nv;3\n')
    with pytest.raises(BadInput, match=r"cases\.csv, line 3: a quotation mark opens there and is never closed"):
        open_collection(tmp_path, SPEC)


def test_table__cell_too_long_for_any_table_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"File;Diagnosis;Age\n1.jpg;nv;1\n2.jpg;{'x' * 200_000};2\n")
    with pytest.raises(BadInput, match=r"cases\.csv, line 3: field larger than field limit"):
        open_collection(tmp_path, SPEC)


@pytest.mark.parametrize("data", [b"", b"\n\n\n", b"\xff\xd8\xff\0\0binary", b"\0" * 100])
def test_read_table__of_what_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cases.csv").write_bytes(data)
    with pytest.raises(BadInput, match=r"cases\.csv is no table of text"):
        read_table(tmp_path / "cases.csv")


@pytest.mark.parametrize("shift", range(3))
def test_table__of_many_lines_is_not_cut_within_a_letter(tmp_path: Path, shift: int) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    line = f"1.jpg,nv,1,{'ö' * 200}\n"
    (tmp_path / "cases.csv").write_text("x" * shift + f"\nFile,Diagnosis,Age,Größe\n{line * 200}")
    assert open_collection(tmp_path, SPEC).rows[0].case.attributes == {"Größe": "ö" * 200}


def test_spec__with_a_byte_order_mark_or_as_utf16(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "cases.csv").write_text("Bild,x\n1.jpg,2\n")
    text = 'title = "Größe"\n[columns]\nimage = "Bild"\n'
    for data in (codecs.BOM_UTF8 + text.encode(), text.encode("utf-16"), text.encode("cp1252")):
        (tmp_path / "collection.toml").write_bytes(data)
        assert open_collection(tmp_path).info.title == "Größe"


@pytest.mark.parametrize(
    "text", ["title = 'x'\nlabels = 5\n", "title = 'x'\nbase = 'isic'\nlabels = 5\n", "base = 7\n"]
)
def test_spec__of_wrong_types_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "collection.toml").write_text(text)
    with pytest.raises(BadInput, match=r"labels|no built-in collection '7'"):
        open_collection(tmp_path)


def test_folder_name__of_many_letters_becomes_a_title_within_the_limit(tmp_path: Path) -> None:
    folder = tmp_path / ("long " * 40)
    folder.mkdir()
    (folder / "1.jpg").write_bytes(jpeg(1))
    (folder / "cases.csv").write_text("File,x\n1.jpg,2\n")
    assert 100 < len(open_collection(folder, columns=Columns(image="File")).info.title) <= 120


@pytest.mark.parametrize("name", ["x" * 300, "nul\0byte"])
def test_location__that_no_file_system_can_have_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is not a folder or zip"):
        open_collection(tmp_path / name)
