"""Whatever lies in a folder: no trace, and each picture is a case or is named with a reason."""

import io
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekin.collections import CollectionSpec, Columns, LoadedCollection, open_collection
from casekin.errors import CasekinError
from tests.unit.collections.conftest import jpeg

SPEC = CollectionSpec(title="x", columns=Columns(image="File"), optional_columns=Columns(diagnosis="Label", age="Age"))
PICTURES = ["a.jpg", "b.png", "Größe 1.JPG", "sub/a.jpg", "sub/2023.05.12_x.dcm", "IM0001", "scan.tif"]
NAME_BYTES = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in (b".", b"..") and not {0, ord("/")} & set(name)
)
CELL = st.one_of(
    st.sampled_from(PICTURES), st.text(max_size=12), st.sampled_from(["", '"', "\n", "a;b", "C:\\x\\a.jpg"])
)
ZIP_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
FUZZ = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def opened(folder: Path, spec: CollectionSpec | None = SPEC) -> LoadedCollection | None:
    """The collection, all of whose images were read or refused in words; none where it was refused in words."""
    try:
        collection = open_collection(folder, spec)
    except CasekinError as error:
        error.detail.encode()
        return None
    for row in collection.rows:
        try:
            row.image.read()
        except CasekinError as error:
            error.detail.encode()
    for one in collection.skipped:
        assert one.code
        assert one.reason
        (one.id + one.reason).encode()
        assert "[type=" not in one.reason, "a dump of the validation"
    return collection


def assert_all_are_found_or_named(collection: LoadedCollection, names: set[str]) -> None:
    named = {row.image.name for row in collection.rows} | {one.id for one in collection.skipped}
    text = "\n".join(one.reason for one in collection.skipped)
    for name in names:
        stem = name.rpartition("/")[2].rpartition(".")[0]
        assert any(name in one or one == stem for one in named) or name in text, (name, named, text)


@FUZZ
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_table__of_any_bytes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cases.csv", "cases", "collection.toml"):
            Path(folder, name).write_bytes(data)
            opened(Path(folder))
            opened(Path(folder), None)


@FUZZ
@given(
    rows=st.lists(st.lists(CELL, max_size=5), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_table__of_any_cells(rows: list[list[str]], delimiter: str, end: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sub").mkdir()
        for number, name in enumerate(PICTURES):
            (folder / name).write_bytes(jpeg(number))
        lines = [["File", "Label", "Age"], *rows]
        text = end.join(delimiter.join(line) for line in lines)
        (folder / "cases.csv").write_bytes(text.encode(encoding, errors="replace"))
        collection = opened(folder)
        if collection is not None:
            assert_all_are_found_or_named(collection, set(PICTURES) - {"IM0001"})


@FUZZ
@given(names=st.lists(NAME_BYTES, max_size=6, unique=True), ending=st.sampled_from([b".jpg", b".JPG", b".tif", b""]))
def test_names__of_any_bytes(names: list[bytes], ending: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            try:
                Path(place, os.fsdecode(name + ending)).write_bytes(name)
            except (OSError, ValueError):  # a name that this file system refuses
                continue
        keys = "\n".join(os.fsdecode(name).encode("utf-8", "replace").decode() for name in names)
        Path(place, "cases.csv").write_text(f"File,x\n{keys}")
        collection = opened(Path(place))
        if collection is not None and ending:
            files = [file for file in os.listdir(place) if not file.startswith(".") and file != "cases.csv"]  # noqa: PTH208
            pictures = [file for file in files if not file.lower().endswith((".zip", ".csv"))]
            assert len(collection.rows) + len(collection.skipped) >= len(pictures)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@FUZZ
@given(
    names=st.lists(st.one_of(st.sampled_from(PICTURES), st.text(ZIP_LETTERS, min_size=1, max_size=8)), max_size=5),
    cut=st.integers(0, 400),
    place=st.integers(0, 400),
    byte=st.integers(0, 255),
    nested=st.booleans(),
)
def test_zip__of_any_members_and_damage(names: list[str], cut: int, place: int, byte: int, nested: bool) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name.encode())
        archive.writestr("cases.csv", "File,x\n" + "\n".join(f"{name},1" for name in PICTURES))
    data = bytearray(stream.getvalue())
    data[min(place, len(data) - 1)] = byte
    if cut % 3 == 0:
        del data[-min(cut, len(data) - 1) :]
    if nested:
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("inner.zip", bytes(data))
        data = bytearray(outer.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "all.zip").write_bytes(data)
        opened(Path(folder))
        opened(Path(folder, "all.zip"))
