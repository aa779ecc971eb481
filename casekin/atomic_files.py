"""Files that a reader sees whole or not at all, also after a power cut."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from casekin.errors import StorageFull

T = TypeVar("T")


def write_durably(path: Path, data: bytes) -> None:
    """Write beside `path`, force to disk, rename, and force the rename to disk; raises `StorageFull`."""
    write_all_durably({path: data})


def write_all_durably(files: Mapping[Path, bytes]) -> None:
    """As `write_durably` for many files, in phases: a file system then has few commits to make, not four a file."""
    staged: dict[Path, Path] = {}
    with _disk_full(files):
        try:
            for path, data in files.items():
                staged[path] = _beside(path)
                staged[path].write_bytes(data)
            _sync(staged.values())
            for path, beside in staged.items():
                beside.replace(path)
        except BaseException:
            _delete(staged.values())
            raise
        _sync({path.parent for path in files})


def stream_durably(path: Path, write: Callable[[BinaryIO], T]) -> T:
    """Put what `write` writes to a binary file in the place of `path`, durably; returns what `write` returns.

    Nothing is left where `write` fails; raises `StorageFull`.
    """
    beside = _beside(path)
    with _disk_full([path]):
        try:
            with beside.open("wb") as stream:
                result = write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        except BaseException:
            _delete([beside])
            raise
        _sync([path.parent])
    return result


def link_all_durably(files: Mapping[Path, Path]) -> None:
    """Give files that never change a second name each; where the file system has no links, a copy of their bytes.

    A name that is there stays: to rename one link over another of the same file would do nothing, and leave both.
    """
    files = {file: copy for file, copy in files.items() if not copy.exists()}
    for folder in {copy.parent for copy in files.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    with _disk_full(files.values()):
        for file, copy in files.items():
            beside = _beside(copy)
            try:
                beside.hardlink_to(file)
            except OSError:
                _copy(file, beside)
            beside.replace(copy)
        _sync({copy.parent for copy in files.values()})


def sync_folder(folder: Path) -> None:
    """Force the files in `folder`, and their names, to disk.

    A file that is renamed meanwhile is forced under its new name; one that is deleted is left out.
    """
    synced: set[Path] = set()
    while found := set(folder.iterdir()) - synced:
        for path in found:
            with suppress(FileNotFoundError):
                _sync([path])
        synced |= found
    _sync([folder])


def _beside(path: Path) -> Path:
    """A name in the same folder that no other write uses; short, since `path` may have the longest name there is."""
    return path.with_name(f".{os.getpid()}.{os.urandom(8).hex()}.part")


def _copy(file: Path, beside: Path) -> None:
    try:
        shutil.copyfile(file, beside)
        _sync([beside])
    except BaseException:
        _delete([beside])
        raise


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _disk_full(paths: Iterable[Path]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            folders = ", ".join(sorted({path.parent.name for path in paths}))
            raise StorageFull(f"no space left on the device, in {folders}; free some and send it again") from error
        raise
