"""The image that a table names is found however it is written, and never guessed."""

import os
import unicodedata
from pathlib import Path

import pytest

from casekin.collections import CollectionSpec, Columns, LoadedCollection, open_collection
from casekin.errors import AmbiguousImage, CorruptImage
from tests.unit.collections.conftest import jpeg, write_table, write_zip

BY_IMAGE = CollectionSpec(title="x", columns=Columns(image="File"))
BY_ID = CollectionSpec(title="x", columns=Columns(id="Id", image="File"))


def opened(folder: Path, files: dict[str, bytes], keys: list[str], **options: object) -> LoadedCollection:
    """The collection of a folder with these files and a table with a line for each key."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    write_table(folder / "cases.csv", [["Id", "File"], *([f"c{i}", key] for i, key in enumerate(keys))])
    return open_collection(folder, BY_ID, **options)  # type: ignore[arg-type]


def faults(collection: LoadedCollection) -> list[tuple[str, str]]:
    return [(one.id, one.code) for one in collection.skipped]


def test_name__of_a_picture_and_of_its_mask_takes_neither_and_names_both(tmp_path: Path) -> None:
    files = {"annotations/X.png": jpeg(1), "images/X.jpg": jpeg(2)}
    collection = opened(tmp_path, files, ["X"])
    assert collection.rows == []
    assert faults(collection) == [("c0", "ambiguous-image")]
    for word in ("annotations/X.png", "images/X.jpg", "--ignore", "line 2"):
        assert word in collection.skipped[0].reason
    assert opened(tmp_path, {}, ["images/X.jpg"]).rows[0].image.read() == jpeg(2)
    assert opened(tmp_path, {}, ["X.jpg"]).rows[0].image.read() == jpeg(2)
    assert opened(tmp_path, {}, ["X"], ignore=["annotations"]).rows[0].image.read() == jpeg(2)


def test_name__of_two_files_takes_neither(tmp_path: Path) -> None:
    collection = opened(tmp_path, {"left/1.jpg": jpeg(1), "right/1.jpg": jpeg(2)}, ["1.jpg", "1"])
    assert faults(collection) == [("c0", "ambiguous-image"), ("c1", "ambiguous-image")]
    assert "left/1.jpg and right/1.jpg" in collection.skipped[0].reason


def test_name__in_two_zips_is_resolved_by_the_name_of_the_zip(tmp_path: Path) -> None:
    write_zip(tmp_path / "left.zip", {"1.jpg": jpeg(1)})
    write_zip(tmp_path / "right.zip", {"1.jpg": jpeg(2)})
    collection = opened(tmp_path, {}, ["right/1.jpg", "1.jpg"])
    assert collection.rows[0].image.read() == jpeg(2)
    assert faults(collection) == [("c1", "ambiguous-image")]


def test_name__of_two_files_of_one_size_is_refused_when_they_are_read(tmp_path: Path) -> None:
    row = opened(tmp_path, {"a/1.png": bytes(5000) + b"1", "b/1.png": bytes(5000) + b"2"}, ["1"]).rows[0]
    with pytest.raises(AmbiguousImage, match=r"a/1\.png and .*b/1\.png have one name and different content"):
        row.image.read()


def test_name__of_equal_copies_is_no_doubt(tmp_path: Path) -> None:
    collection = opened(tmp_path, {"a/1.png": b"12", "b/1.png": b"12"}, ["1"])
    assert collection.rows[0].image.read() == b"12"
    assert collection.skipped == []


def test_table__relative_to_its_own_folder_decides(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "images" / "1.jpg").write_bytes(name.encode())
        write_table(tmp_path / name / "cases.csv", [["Id", "File"], [name, "images/1.jpg"]])
    collection = open_collection(tmp_path, BY_ID)
    assert [(row.case.id, row.image.read()) for row in collection.rows] == [("a", b"a"), ("b", b"b")]
    assert collection.skipped == []


@pytest.mark.parametrize(
    "key",
    [
        "sub/größe 1.jpg",
        r"sub\größe 1.jpg",
        r".\sub\größe 1.jpg",
        unicodedata.normalize("NFD", "größe 1.jpg"),
        "GRÖSSE 1.JPG",
        "Größe 1.JPEG",
        "größe 1",
        "/home/somebody/export/sub/größe 1.jpg",
        r"C:\Users\somebody\sub\größe 1.jpg",
        r"D:\elsewhere\größe 1.jpg",
        r"\\server\share\größe 1.jpg",
        "file:///data/sub/größe 1.jpg",
        "https://clinic.example/sub/gr%C3%B6%C3%9Fe%201.jpg",
        "pictures/sub/größe 1.jpg",
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_key__is_found_however_it_is_written(tmp_path: Path, key: str, form: str) -> None:
    name = unicodedata.normalize(form, "größe 1.jpg")
    collection = opened(tmp_path, {f"sub/{name}": jpeg(3)}, [key])
    assert collection.skipped == []
    assert collection.rows[0].image.read() == jpeg(3)


def test_key__in_another_folder_is_not_taken_and_what_is_there_is_named(tmp_path: Path) -> None:
    collection = opened(tmp_path, {"left/1.jpg": jpeg(3)}, ["right/1.jpg"])
    assert faults(collection) == [("c0", "no-image"), (f"{tmp_path}/left/1.jpg", "no-row")]
    assert "no image 'right/1.jpg'" in collection.skipped[0].reason
    assert "there is left/1.jpg" in collection.skipped[0].reason


def test_key__of_foreign_folders_that_two_lines_could_mean_is_ambiguous(tmp_path: Path) -> None:
    collection = opened(tmp_path, {"pictures/1.jpg": jpeg(3)}, [r"C:\left\1.jpg", r"C:\right\1.jpg"])
    assert faults(collection) == [("c0", "ambiguous-image"), ("c1", "ambiguous-image")]
    assert "lines 2, 3" in collection.skipped[0].reason


@pytest.mark.parametrize("name", ["1.tif", "1.bmp", "1.heic"])
def test_picture__of_another_type_is_named(tmp_path: Path, name: str) -> None:
    collection = opened(tmp_path, {name: b"II*", "2.gif": b"GIF8"}, ["1.jpg"])
    assert f"there is {name}" in collection.skipped[0].reason
    assert [code for _, code in faults(collection)] == ["no-image", "no-row", "no-row"]


def test_picture__that_can_be_read_is_preferred_to_one_that_cannot(tmp_path: Path) -> None:
    collection = opened(tmp_path, {"1.tif": b"II*", "1.jpg": jpeg(4)}, ["1"])
    assert collection.rows[0].image.read() == jpeg(4)


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.113619.2.5", "scan.DICOM", "scan.ima", "scan.jfif"])
def test_file__without_the_ending_of_a_picture_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    collection = opened(tmp_path, {name: b"data"}, [name])
    assert collection.rows[0].image.read() == b"data"


@pytest.mark.parametrize(
    ("key", "case_id"),
    [
        ("2023.05.12_pat7", "2023.05.12_pat7"),
        ("2023.05.12_pat7.jpg", "2023.05.12_pat7"),
        ("scans/2023.05.12_pat7.JPG", "2023.05.12_pat7"),
    ],
)
def test_id__from_a_file_name_keeps_its_dots(tmp_path: Path, key: str, case_id: str) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "2023.05.12_pat7.jpg").write_bytes(jpeg(1))
    (tmp_path / "scans" / "2023.05.12_pat8.jpg").write_bytes(jpeg(2))
    write_table(tmp_path / "cases.csv", [["File", "x"], [key, ""], ["2023.05.12_pat8", ""]])
    collection = open_collection(tmp_path, BY_IMAGE)
    assert collection.skipped == []
    assert [row.case.id for row in collection.rows] == [case_id, "2023.05.12_pat8"]


def test_id__that_two_file_names_share_says_what_helps(tmp_path: Path) -> None:
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(jpeg(1))
    write_table(tmp_path / "cases.csv", [["File", "x"], ["left/1.jpg", ""], ["right/1.jpg", ""]])
    skipped = open_collection(tmp_path, BY_IMAGE).skipped
    assert [(one.id, one.code) for one in skipped] == [("1", "doubled-id")]
    assert "'right/1.jpg'" in skipped[0].reason
    assert "--id-column" in skipped[0].reason


def test_folder_name__that_is_no_utf8_is_read_and_shown_with_escapes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/gr\xf6\xdfe"
    os.mkdir(folder)  # noqa: PTH102
    Path(os.fsdecode(folder), os.fsdecode(b"\xe4.jpg")).write_bytes(jpeg(1))
    Path(os.fsdecode(folder), "stray.jpg").write_bytes(jpeg(2))
    collection = opened(tmp_path, {}, ["größe/ä.jpg"])
    assert collection.rows[0].image.read() == jpeg(1)
    for text in (collection.rows[0].image.name, collection.skipped[0].id, collection.skipped[0].reason):
        text.encode()
    assert r"gr\udcf6\udcdfe" in collection.rows[0].image.name
    assert open_collection(Path(os.fsdecode(folder)).parent, columns=Columns(image="File")).info.title


def test_zip__names_of_any_encoding_and_direction_of_slashes(tmp_path: Path) -> None:
    names = {b"\x84.jpg": b"1.jpg", "ö.jpg".encode(): b"22.jpg", b"\xfc.jpg": b"3.jpg", b"sub\\x.jpg": b"4444x.jpg"}
    write_zip(tmp_path / "all.zip", {name.decode(): jpeg(i) for i, name in enumerate(names.values())})
    data = (tmp_path / "all.zip").read_bytes()
    for raw, placeholder in names.items():
        assert data.count(placeholder) == 2, "in the member's header and in the directory"
        data = data.replace(placeholder, raw)
    (tmp_path / "all.zip").write_bytes(data)
    collection = opened(tmp_path, {}, ["ä.jpg", "ö.jpg", "ü.jpg", "sub/x.jpg"])
    assert collection.skipped == []
    assert [row.image.read() for row in collection.rows] == [jpeg(i) for i in range(4)]


def test_links__to_folders_are_followed_once(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.mkdir()
    (real / "1.jpg").write_bytes(jpeg(1))
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "a_link").symlink_to(real)
    (real / "loop").symlink_to(folder)
    (folder / "broken.jpg").symlink_to(tmp_path / "gone")
    collection = opened(folder, {}, ["a_link/1.jpg"])
    assert collection.rows[0].image.read() == jpeg(1)
    assert [(Path(name).name, code) for name, code in faults(collection)] == [("broken.jpg", "unreadable")]


def test_links__that_lead_out_are_named_where_they_may_not(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "1.jpg").write_bytes(jpeg(1))
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "images").symlink_to(tmp_path / "secret")
    (folder / "2.jpg").symlink_to(tmp_path / "secret" / "1.jpg")
    collection = opened(folder, {}, ["1", "2"], within=folder)
    assert collection.rows == []
    assert sorted(code for _, code in faults(collection)) == ["no-image", "no-image", "outside", "outside"]


def test_folder__that_is_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def locked(path: Path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    collection = opened(tmp_path, {"locked/1.jpg": jpeg(1), "2.jpg": jpeg(2)}, ["1", "2"])
    assert [row.image.read() for row in collection.rows] == [jpeg(2)]
    assert faults(collection)[0] == (f"{tmp_path}/locked", "unreadable")
    assert "Permission denied" in collection.skipped[0].reason


def test_pipe__of_a_picture_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    os.mkfifo(tmp_path / "2.csv")
    collection = opened(tmp_path, {}, ["1"])
    assert [code for _, code in faults(collection)] == ["unreadable", "unreadable", "no-image"]


def test_image__that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    row = opened(tmp_path, {"1.jpg": jpeg(1)}, ["1"]).rows[0]
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(CorruptImage, match="it is gone"):
        row.image.read()
