"""Bulk ingest: how fast, which part, and from where."""

import shutil
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from casekin.contracts.ingest import IngestPart
from casekin.errors import BadInput
from services.projector.tasks.ingest import Pace, open_below
from tests.exports import write_isic


def test_pace__lets_no_more_pass_than_its_rate() -> None:
    pace, began = Pace(50), time.monotonic()
    for _ in range(11):
        pace()
    assert time.monotonic() - began >= 10 / 50


def test_pace__does_not_make_up_for_a_pause() -> None:
    pace = Pace(20)
    pace()
    time.sleep(0.2)
    began = time.monotonic()
    for _ in range(3):
        pace()
    assert time.monotonic() - began >= 2 / 20


@pytest.mark.parametrize("folder", ["../other", "/etc", "a/../b", "a//b", "", ".hidden", "a\nb", "a\\..\\b"])
def test_folder__that_could_lead_out_of_the_collections_is_refused(folder: str) -> None:
    with pytest.raises(ValidationError):
        IngestPart(folder=folder)


def test_part__is_one_of_the_parts() -> None:
    with pytest.raises(ValidationError, match="part 3 of 2 parts; name one from 1 to 2"):
        IngestPart(folder="ham10000", part=3, parts=2)


def test_folder__that_is_missing_or_linked_from_elsewhere_is_refused(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "collections", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / "link").symlink_to(elsewhere)
    for folder in ("missing", "link"):
        with pytest.raises(BadInput, match=f"no folder {folder} among the collections"):
            open_below(str(root), folder)
    with pytest.raises(BadInput, match="CASEKIN_COLLECTIONS"):
        open_below(None, "link")


@pytest.mark.parametrize("name", ["größe (2)", "a b/c d", "it's", "ISIC-images.zip", "x" * 200])
def test_folder__of_any_name_and_a_zip_are_opened(tmp_path: Path, name: str) -> None:
    folder = write_isic(tmp_path / "made", 1)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    if name.endswith(".zip"):
        shutil.make_archive(str(tmp_path / name).removesuffix(".zip"), "zip", folder)
    else:
        folder.rename(tmp_path / name)
    assert len(open_below(str(tmp_path), IngestPart(folder=name).folder).rows) == 2


def test_folder__of_a_name_that_no_file_system_has_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder xxx"):
        open_below(str(tmp_path), "x" * 900)


def test_folder__with_links_out_of_the_collections_names_them_and_reads_none(tmp_path: Path) -> None:
    (tmp_path / "collections").mkdir()
    folder = write_isic(tmp_path / "collections" / "isic", 1)
    for file in folder.glob("*.jpg"):
        file.rename(tmp_path / file.name)
        file.symlink_to(tmp_path / file.name)
    loaded = open_below(str(tmp_path / "collections"), "isic")
    assert loaded.rows == []
    assert [one.code for one in loaded.skipped] == ["outside", "outside", "no-image", "no-image"]
