"""Files are whole or absent, forced to disk before they have their name, and a failure leaves nothing."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from casekin.atomic_files import link_all_durably, stream_durably, sync_folder, write_all_durably, write_durably
from casekin.errors import StorageFull


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is forced to disk and renamed, in order: file, folder, rename."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return seen


def test_write__forces_the_bytes_to_disk_before_the_name_and_the_name_after(tmp_path: Path, steps: list[str]) -> None:
    write_durably(tmp_path / "one", b"1")
    assert steps == ["file", "rename", "folder"]
    steps.clear()
    assert stream_durably(tmp_path / "one", lambda stream: stream.write(b"22")) == 2
    assert steps == ["file", "rename", "folder"]
    assert (tmp_path / "one").read_bytes() == b"22"


def test_write_all__has_few_commits(tmp_path: Path, steps: list[str]) -> None:
    write_all_durably({tmp_path / str(number): b"x" for number in range(3)})
    assert steps == [*["file"] * 3, *["rename"] * 3, "folder"]


def test_sync_folder__forces_each_file_and_the_folder(tmp_path: Path, steps: list[str]) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    sync_folder(tmp_path)
    assert steps == ["file", "file", "folder"]


def test_sync_folder__follows_a_file_that_is_renamed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp-open-2").write_bytes(b"x")
    opened: list[str] = []
    open_file = os.open

    def renaming(path: Path, flags: int) -> int:
        if path.name == "tmp-open-2":
            path.rename(path.with_name("open-2"))
        descriptor = open_file(path, flags)
        opened.append(path.name)
        return descriptor

    monkeypatch.setattr(os, "open", renaming)
    sync_folder(tmp_path)
    assert opened == ["open-2", tmp_path.name]


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_stream__that_fails_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"before")

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise error

    with pytest.raises(type(error)):
        stream_durably(path, fail)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"before", [path])


def test_full_disk__is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match=f"no space left on the device, in {tmp_path.name}"):
        write_all_durably({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    with pytest.raises(StorageFull):
        stream_durably(tmp_path / "c", lambda stream: stream.write(b"3"))
    assert list(tmp_path.iterdir()) == []


def test_write__takes_the_longest_name_that_there_is(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_durably(path, b"1")
    link_all_durably({path: tmp_path / "copies" / ("y" * 255)})
    assert (tmp_path / "copies" / ("y" * 255)).read_bytes() == b"1"


def test_link__shares_the_bytes_or_copies_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").write_bytes(b"1")
    link_all_durably({tmp_path / "one": tmp_path / "linked"})
    assert (tmp_path / "linked").samefile(tmp_path / "one")

    def refuse(*_: Path) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    link_all_durably({tmp_path / "one": tmp_path / "copied", tmp_path / "linked": tmp_path / "one"})
    assert not (tmp_path / "copied").samefile(tmp_path / "one")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("one", "linked", "copied"), b"1"
    )
