"""Finds the images of a collection, in folders and in zips, and reads them one by one; nothing is unpacked to disk."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Protocol

from casekin.errors import CorruptImage, UploadTooLarge

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".dcm")
MAX_BYTES = 20 * 2**20
"""Of one image, unpacked: the limit of an upload."""


class ImageSource(Protocol):
    """Where the bytes of one image are; safe to read from several threads."""

    @property
    def name(self) -> str:
        """For messages: path, or zip and member."""

    @property
    def stamp(self) -> str:
        """Changes when the bytes do, and is cheap to ask for."""

    def read(self) -> bytes:
        """All bytes; raises `CorruptImage` where they cannot be read and `UploadTooLarge` above `MAX_BYTES`."""


@dataclass(frozen=True)
class LooseImage:
    """A file in a folder."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def stamp(self) -> str:
        """Size and time of the last change."""
        status = self.path.stat()
        return f"{status.st_size}-{status.st_mtime_ns}"

    def read(self) -> bytes:
        """All bytes of the file."""
        try:
            with self.path.open("rb") as stream:
                return _limited(stream.read(MAX_BYTES + 1), self.name)
        except OSError as error:
            raise CorruptImage(f"{self.name} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class ZippedImage:
    """A member of a zip; its name never becomes a path."""

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """The zip and the member."""
        return f"{self.archive.filename}:{self.member.filename}"

    @property
    def stamp(self) -> str:
        """Size and checksum."""
        return f"{self.member.file_size}-{self.member.CRC:08x}"

    def read(self) -> bytes:
        """All bytes of the member; what it claims to hold is not believed."""
        try:
            with self.archive.open(self.member) as stream:
                return _limited(stream.read(MAX_BYTES + 1), self.name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise CorruptImage(f"{self.name} cannot be unpacked: {error}") from error


def _limited(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise UploadTooLarge(f"{name} holds more than {MAX_BYTES // 2**20} MB")
    return data


@dataclass
class ImageIndex:
    """All images by path, name and stem."""

    sources: list[tuple[str, ImageSource]] = field(default_factory=list)
    """Each with its file name, in the order they were found."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Zips that cannot be opened, and why."""
    tables: list[Path] = field(default_factory=list)
    """Other files, which may be metadata."""
    _by_key: dict[str, ImageSource] = field(default_factory=dict)

    def add(self, path: str, source: ImageSource) -> None:
        """Make `source` known under its path, its name and its stem; what came first keeps a key."""
        pure = PurePosixPath(path)
        self.sources.append((pure.name, source))
        for key in (path, pure.name, pure.stem):
            self._by_key.setdefault(key, source)

    def find(self, key: str) -> ImageSource | None:
        """The image of that path inside the collection, of that name, or of that stem."""
        return self._by_key.get(key.replace("\\", "/").removeprefix("./"))


def index_images(folder: Path, ignore: list[str]) -> ImageIndex:
    """Look through `folder` and its zips; loose files come before zipped ones of the same name."""
    index = ImageIndex()
    zips: list[Path] = []
    for path in _walk(folder, ignore):
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            index.add(path.relative_to(folder).as_posix(), LooseImage(path))
        elif suffix == ".zip":
            zips.append(path)
        else:
            index.tables.append(path)
    for path in zips:
        _index_zip(path, ignore, index)
    return index


def _index_zip(path: Path, ignore: list[str], index: ImageIndex) -> None:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        index.unreadable[str(path)] = str(error)
        return
    for member in archive.infolist():
        name = PurePosixPath(member.filename)
        if not member.is_dir() and name.suffix.lower() in SUFFIXES and not _ignored(name.parts, ignore):
            index.add(member.filename, ZippedImage(archive, member))


def _walk(folder: Path, ignore: list[str]) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _ignored((name,), ignore))
        for name in sorted(names):
            if not _ignored((name,), ignore):
                yield Path(base, name)


def _ignored(parts: tuple[str, ...], ignore: list[str]) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return hidden or any(fnmatch(part.lower(), pattern.lower()) for part in parts for pattern in ignore)
