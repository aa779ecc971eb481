"""Files that are whole or absent, also after a power cut."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write beside `path`, force to disk, rename, and force the rename to disk."""
    write_all_durably({path: data})


def write_all_durably(files: Mapping[Path, bytes]) -> None:
    """As `write_durably` for many files, in phases: a file system then has few commits to make, not four a file."""
    staged: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            staged[path] = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            staged[path].write_bytes(data)
        _sync(staged.values())
        for path, beside in staged.items():
            beside.replace(path)
    except BaseException:
        for beside in staged.values():
            beside.unlink(missing_ok=True)
        raise
    _sync({path.parent for path in files})


def link_all_durably(files: Mapping[Path, Path]) -> None:
    """Give files that never change a second name each; where the file system has no links, a copy of their bytes.

    A name that is there stays: to rename one link over another of the same file would do nothing, and leave both.
    """
    files = {file: copy for file, copy in files.items() if not copy.exists()}
    for folder in {copy.parent for copy in files.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    for file, copy in files.items():
        beside = copy.with_name(f".{copy.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            beside.hardlink_to(file)
        except OSError:
            shutil.copyfile(file, beside)
            _sync([beside])
        beside.replace(copy)
    _sync({copy.parent for copy in files.values()})


def sync_folder(folder: Path) -> None:
    """Force the files in `folder`, and their names, to disk."""
    _sync([*folder.iterdir(), folder])


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
