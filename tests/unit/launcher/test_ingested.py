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
