"""The folder of phantoms is a download of HAM10000 to the loader."""

import csv
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from casekin.cli import app
from casekin.collections import open_collection
from casekin.errors import BadInput
from casekin.phantoms import SCALES, write_phantoms


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms") / "new" / "folder"
    assert list(write_phantoms(folder, count=12, seed=3)) == list(range(1, 13))
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_write_phantoms__the_loader_takes_all(folder: Path) -> None:
    collection = open_collection(folder)
    assert collection.skipped == []
    assert len(collection.rows) == 12
    assert collection.info.title == "Phantoms (synthetic)"
    assert collection.info.diagnoses[0].name == "Melanoma"
    assert all(row.image.read()[:3] == b"\xff\xd8\xff" for row in collection.rows)


def test_write_phantoms__ground_truth_beside_each_picture(folder: Path) -> None:
    with (folder / "factors.csv").open() as stream:
        truth = list(csv.DictReader(stream))
    assert [line["image_id"] for line in truth] == [row.case.id for row in open_collection(folder).rows]
    assert all(scale.low <= float(line[name]) <= scale.high for line in truth for name, scale in SCALES.items())


def test_write_phantoms__same_request_same_bytes_elsewhere_and_no_work_here(folder: Path, tmp_path: Path) -> None:
    list(write_phantoms(tmp_path / "again", count=12, seed=3))
    assert snapshot(tmp_path / "again") == snapshot(folder)
    times = {file: file.stat().st_mtime_ns for file in folder.rglob("*.jpg")}
    list(write_phantoms(folder, count=12, seed=3))
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.jpg")} == times


def test_write_phantoms__goes_on_after_an_interruption(folder: Path, tmp_path: Path) -> None:
    halfway = write_phantoms(tmp_path / "cut", count=12, seed=3)
    for _ in range(5):
        next(halfway)
    halfway.close()
    list(write_phantoms(tmp_path / "cut", count=12, seed=3))
    assert snapshot(tmp_path / "cut") == snapshot(folder)


def test_write_phantoms__never_mixes_with_what_is_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="another count, seed or version"):
        list(write_phantoms(folder, count=12, seed=4))
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(BadInput, match="not empty and holds no phantoms"):
        list(write_phantoms(tmp_path, count=1, seed=1))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_command__draws_and_says_what_it_did(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["phantoms", str(tmp_path / "p"), "--count", "2", "--seed", "5"])
    assert result.exit_code == 0, result.output
    assert "2 phantoms in" in result.stdout
    assert len(list((tmp_path / "p").rglob("*.jpg"))) == 2
    refused = CliRunner().invoke(app, ["phantoms", str(tmp_path / "p"), "--count", "3", "--seed", "5"])
    assert refused.exit_code == 1
    assert "name another folder" in refused.output


def test_command__shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    command = [Path(sys.executable).with_name("casekin"), "phantoms", tmp_path / "p", "--count", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env={**os.environ, "TERM": "xterm"})
    assert process.wait(60) == 0
    os.set_blocking(screen, False)
    shown = os.read(screen, 65_536).decode()
    os.close(screen)
    os.close(terminal)
    assert "3/3" in shown
    assert "/s" in shown
    assert "━" in shown
