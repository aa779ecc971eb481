"""Archives as they come: hundreds of them, within one another, or as the collection itself."""

import io
import os
import resource
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casekin.collections import CollectionSpec, Columns, archives, listing, open_collection
from casekin.errors import BadInput, CorruptImage, StorageFull
from tests.exports import write_isic
from tests.unit.collections.conftest import HEADER, ROWS, jpeg, write_table, write_zip

BY_IMAGE = CollectionSpec(title="x", columns=Columns(image="File"))


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def table(names: list[str]) -> bytes:
    return "\n".join(["File,x", *(f"{name},1" for name in names)]).encode()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_hundreds_of_zips__are_read_with_few_files_open(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(600)]
    for number, name in enumerate(names):
        write_zip(tmp_path / f"{number}.zip", {name: bytes([number % 256])})
    (tmp_path / "cases.csv").write_bytes(table(names))
    before = open_files()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 64, limits[1]))
    try:
        collection = open_collection(tmp_path, BY_IMAGE)
        assert collection.skipped == []
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(lambda row: row.image.read(), collection.rows))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert read == [bytes([number % 256]) for number in range(600)]
    assert open_files() <= before + archives.MAX_OPEN + 8


def test_pool__closes_what_was_read_longest_ago(tmp_path: Path) -> None:
    pool = archives.FilePool(limit=2)
    before = open_files()
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"abcdef")
        assert pool.read_at(tmp_path / str(number), 2, 3) == b"cde"
    assert open_files() == before + 2
    with pytest.raises(FileNotFoundError):
        pool.read_at(tmp_path / "none", 0, 1)
    assert pool.size(tmp_path / "4") == 6
    assert open_files() == before + 2


def test_isic_export__as_one_zip_with_its_table_inside(tmp_path: Path) -> None:
    folder = write_isic(tmp_path / "made", 3)
    write_zip(tmp_path / "ISIC-images.zip", {file.name: file.read_bytes() for file in folder.iterdir()})
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "ISIC-images.zip").write_bytes((tmp_path / "ISIC-images.zip").read_bytes())
    for location in (tmp_path / "ISIC-images.zip", alone):
        collection = open_collection(location)
        assert collection.info.title == "ISIC Archive"
        assert collection.skipped == []
        assert [row.case for row in collection.rows] == [row.case for row in open_collection(folder).rows]
        assert collection.rows[1].image.read() == (folder / f"{collection.rows[1].case.id}.jpg").read_bytes()


def test_zip_of_a_whole_record__is_read_as_the_record(tmp_path: Path) -> None:
    """As Dataverse packs all files of a record that are downloaded at once."""
    write_table(tmp_path / "m", [HEADER, *ROWS])
    parts = {
        "HAM10000_metadata.tab": (tmp_path / "m").read_bytes(),
        "HAM10000_images_part_1.zip": zipped({f"{row[1]}.jpg": jpeg(i) for i, row in enumerate(ROWS)}),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped({"s/ISIC_1.jpg": b"mask"}),
    }
    write_zip(tmp_path / "dataverse_files.zip", parts)
    collection = open_collection(tmp_path / "dataverse_files.zip")
    assert collection.skipped == []
    assert [row.image.read() for row in collection.rows] == [jpeg(i) for i in range(3)]


def test_nested_zips__that_are_broken_or_too_deep_are_named(tmp_path: Path) -> None:
    deep = zipped({"4.jpg": b"4"})
    for number in range(archives.MAX_OPEN):
        deep = zipped({f"{number}.zip": deep})
    write_zip(
        tmp_path / "all.zip", {"broken.zip": b"PK\x03\x04", "deep.zip": deep, "good.zip": zipped({"1.jpg": b"1"})}
    )
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))
    collection = open_collection(tmp_path, BY_IMAGE)
    assert collection.rows[0].image.read() == b"1"
    assert [one.code for one in collection.skipped] == ["corrupt-zip", "corrupt-zip"]
    assert "broken.zip is no zip" in collection.skipped[0].reason
    assert f"a zip within {listing.DEEPEST_ZIP} zips" in collection.skipped[1].reason


def test_nested_zips__without_room_to_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(tmp_path / "all.zip", {"inner.zip": zipped({"1.jpg": b"1"})})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageFull, match=r"no room to unpack .*all\.zip:inner\.zip.*TMPDIR"):
        open_collection(tmp_path, BY_IMAGE)


def test_nested_zips__over_the_limit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_NESTED_BYTES", 100)
    write_zip(tmp_path / "all.zip", {"cases.csv": table(["1.jpg"]), "inner.zip": zipped({"1.jpg": bytes(200)}) * 2})
    assert open_collection(tmp_path, BY_IMAGE).skipped[0].code == "corrupt-zip"


def test_other_archives__are_named(tmp_path: Path) -> None:
    (tmp_path / "images_001.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))
    collection = open_collection(tmp_path, BY_IMAGE)
    assert [one.code for one in collection.skipped] == ["other-archive", "no-image"]
    assert "unpack it, or make it a zip" in collection.skipped[0].reason


def test_zip__with_a_name_that_is_no_utf8_though_it_says_so(tmp_path: Path) -> None:
    data = zipped({"ää.jpg": b"1"}).replace("ää".encode(), b"\xff\xfe\xff\xfe")
    (tmp_path / "all.zip").write_bytes(data)
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))
    collection = open_collection(tmp_path, BY_IMAGE)
    assert [one.code for one in collection.skipped] == ["corrupt-zip", "no-image"]


def test_zip__that_cannot_be_read_is_not_called_corrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(tmp_path / "all.zip", {"1.jpg": b"1"})
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))

    def locked(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(archives.FilePool, "size", locked)
    assert [one.code for one in open_collection(tmp_path, BY_IMAGE).skipped] == ["unreadable", "no-image"]


def test_zip__member_with_a_password_is_an_error_of_that_image(tmp_path: Path) -> None:
    data = bytearray(zipped({"1.jpg": b"1"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    (tmp_path / "all.zip").write_bytes(data)
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))
    with pytest.raises(CorruptImage, match=r"1\.jpg cannot be unpacked: .*encrypted"):
        open_collection(tmp_path, BY_IMAGE).rows[0].image.read()


def test_file__that_is_neither_folder_nor_zip(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(table(["1.jpg"]))
    with pytest.raises(BadInput, match=r"cases\.csv is no folder, and .* is no zip that can be opened"):
        open_collection(tmp_path / "cases.csv")
