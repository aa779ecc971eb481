import os
from pathlib import Path

import pytest

from casekin.launcher.ingested import Ingested


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(b"a")
    (folder / "metadata.csv").write_text("id")
    return folder


def test_is_done__after_remembering_the_same(source: Path, tmp_path: Path) -> None:
    assert not Ingested.of(source, "v1").is_done(tmp_path)
    Ingested.of(source, "v1").remember(tmp_path)
    assert Ingested.of(source, "v1").is_done(tmp_path)


def touch(source: Path) -> None:
    os.utime(source / "images" / "a.jpg", ns=(1, 1))


def grow(source: Path) -> None:
    before = (source / "metadata.csv").stat().st_mtime_ns
    (source / "metadata.csv").write_text("id,age")
    os.utime(source / "metadata.csv", ns=(before, before))


def add(source: Path) -> None:
    (source / "images" / "b.jpg").write_bytes(b"b")


def rename(source: Path) -> None:
    (source / "images" / "a.jpg").rename(source / "images" / "c.jpg")


@pytest.mark.parametrize("change", [touch, grow, add, rename])
def test_is_done__not_where_the_files_differ(change: object, source: Path, tmp_path: Path) -> None:
    Ingested.of(source, "v1").remember(tmp_path)
    change(source)  # type: ignore[operator]
    assert not Ingested.of(source, "v1").is_done(tmp_path)


def test_is_done__not_for_another_bundle_or_folder(source: Path, tmp_path: Path) -> None:
    Ingested.of(source, "v1").remember(tmp_path)
    assert not Ingested.of(source, "v2").is_done(tmp_path)
    assert not Ingested.of(source / "images", "v1").is_done(tmp_path)


def test_is_done__a_damaged_note_counts_for_nothing(source: Path, tmp_path: Path) -> None:
    (tmp_path / "ingested.json").write_text("{")
    assert not Ingested.of(source, "v1").is_done(tmp_path)


def test_is_done__not_with_another_table_or_other_files_left_out(source: Path, tmp_path: Path) -> None:
    Ingested.of(source, "v1", metadata="a.csv", ignore=["masks"]).remember(tmp_path)
    assert Ingested.of(source, "v1", metadata="a.csv", ignore=["masks"]).is_done(tmp_path)
    assert not Ingested.of(source, "v1").is_done(tmp_path)
    assert not Ingested.of(source, "v1", metadata="b.csv", ignore=["masks"]).is_done(tmp_path)
    assert not Ingested.of(source, "v1", metadata="a.csv").is_done(tmp_path)


def test_is_done__of_names_that_are_no_utf8_of_links_and_of_a_zip(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xf6\xdfe"))
    folder.mkdir()
    (folder / "broken.jpg").symlink_to(tmp_path / "gone")
    (folder / "loop").symlink_to(folder)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    Ingested.of(folder, "v1").remember(tmp_path)
    assert Ingested.of(folder, "v1").is_done(tmp_path)
    (tmp_path / "elsewhere" / "new.jpg").write_bytes(b"x")
    assert not Ingested.of(folder, "v1").is_done(tmp_path)
    zipped = tmp_path / "all.zip"
    zipped.write_bytes(b"PK")
    Ingested.of(zipped, "v1").remember(tmp_path)
    assert Ingested.of(zipped, "v1").is_done(tmp_path)
    zipped.write_bytes(b"PK+")
    assert not Ingested.of(zipped, "v1").is_done(tmp_path)
