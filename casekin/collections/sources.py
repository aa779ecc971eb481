"""Finds the images of a collection, in folders, stores and zips, and reads them one by one; nothing is unpacked."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Protocol

from upath import UPath

from casekin.collections.places import Place, answering
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
    """A file in a folder, or an object in a store."""

    path: Place

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def stamp(self) -> str:
        """Size and time of the last change."""
        with answering(self.path):
            status = self.path.stat()
        return f"{status.st_size}-{status.st_mtime_ns}"

    def read(self) -> bytes:
        """All bytes of the file."""
        try:
            with answering(self.path), self.path.open("rb") as stream:
                return _limited(stream.read(MAX_BYTES + 1), self.name)
        except OSError as error:
            raise CorruptImage(f"{self.name} cannot be read: {error.strerror or 'it is gone'}") from error


@dataclass(frozen=True)
class ZippedImage:
    """A member of a zip; its name never becomes a path."""

    path: Place
    """Of the zip."""
    archive: zipfile.ZipFile
    member: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """The zip and the member."""
        return f"{self.path}:{self.member.filename}"

    @property
    def stamp(self) -> str:
        """Size and checksum."""
        return f"{self.member.file_size}-{self.member.CRC:08x}"

    def read(self) -> bytes:
        """All bytes of the member; what it claims to hold is not believed."""
        try:
            with answering(self.path):
                return _limited(self._unpacked(), self.name)
        except OSError as error:
            raise CorruptImage(f"{self.name} cannot be unpacked: {error}") from error

    def _unpacked(self) -> bytes:
        try:
            with self.archive.open(self.member) as stream:
                return stream.read(MAX_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
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
    tables: list[Place] = field(default_factory=list)
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


def index_images(folder: Place, ignore: list[str]) -> ImageIndex:
    """Look through `folder` and its zips; loose files come before zipped ones of the same name."""
    index = ImageIndex()
    zips: list[Place] = []
    for inside, path in _walk(folder, ignore) if isinstance(folder, Path) else _listed(folder, ignore):
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            index.add(inside, LooseImage(path))
        elif suffix == ".zip":
            zips.append(path)
        else:
            index.tables.append(path)
    for path in zips:
        _index_zip(path, ignore, index)
    return index


def _index_zip(path: Place, ignore: list[str], index: ImageIndex) -> None:
    try:
        archive = _opened(path)
    except (zipfile.BadZipFile, OSError) as error:
        index.unreadable[str(path)] = str(error)
        return
    for member in archive.infolist():
        name = PurePosixPath(member.filename)
        if not member.is_dir() and name.suffix.lower() in SUFFIXES and not _ignored(name.parts, ignore):
            index.add(member.filename, ZippedImage(path, archive, member))


def _opened(path: Place) -> zipfile.ZipFile:
    if isinstance(path, Path):
        return zipfile.ZipFile(path)
    with answering(path):
        return zipfile.ZipFile(path.open("rb"))


def _walk(folder: Path, ignore: list[str]) -> Iterator[tuple[str, Place]]:
    """Path inside `folder`, and where it lies, of each file."""
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _ignored((name,), ignore))
        for name in sorted(names):
            if not _ignored((name,), ignore):
                path = Path(base, name)
                yield path.relative_to(folder).as_posix(), path


def _listed(prefix: UPath, ignore: list[str]) -> Iterator[tuple[str, Place]]:
    """Likewise of each object: a store has no folders, and one listing tells all."""
    with answering(prefix):
        found = sorted(prefix.fs.find(prefix.path))
    for key in found:
        inside = PurePosixPath(key).relative_to(PurePosixPath(prefix.path))
        if not _ignored(inside.parts, ignore):
            yield inside.as_posix(), prefix.joinpath(*inside.parts)


def _ignored(parts: tuple[str, ...], ignore: list[str]) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return hidden or any(fnmatch(part.lower(), pattern.lower()) for part in parts for pattern in ignore)
