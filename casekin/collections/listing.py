"""Lists all files of a collection: in folders, behind links, in stores, in zips and in zips within zips."""

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from upath import UPath

from casekin.collections.archives import BAD_ZIP, FilePool, NestedZips, PooledFile, member_names, open_zip
from casekin.collections.files import LooseFile, StoredFile, ZipMember
from casekin.collections.locations import Location, store_errors, why
from casekin.collections.text import file_name_spellings, printable
from casekin.errors import BadInput

DEEPEST_ZIP = 3
"""Zips within zips that are opened."""
OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".z01")


@dataclass(frozen=True)
class ListedFile:
    """One file and the paths that a table may call it by."""

    file: StoredFile
    paths: tuple[str, ...]
    """Relative to the collection, with forward slashes, a zip as a folder of its name; a name of unknown encoding is
    there in each likely reading."""
    paths_without_zip: tuple[str, ...] = ()
    """Likewise, as if the zip had been unpacked where it lies."""

    @property
    def path(self) -> str:
        """The first of its paths, for messages."""
        return self.paths[0]

    @property
    def all_paths(self) -> tuple[str, ...]:
        """Every path that a table may call it by."""
        return self.paths + self.paths_without_zip


@dataclass(frozen=True)
class Fault:
    """A file or folder that cannot be read."""

    name: str
    code: str
    """One of corrupt-zip, unreadable, outside, other-archive."""
    reason: str


@dataclass
class Listing:
    """All files of a collection; loose ones come before zipped ones."""

    files: list[ListedFile] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def list_files(root: Location, ignore: list[str], within: Path | None = None) -> Listing:
    """List the folder, zip or prefix `root`, without what a pattern of `ignore` names.

    Links are followed; with `within`, only those that stay inside that folder.
    """
    return _Lister(ignore, within).list(root)


def walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative path and location of each file below `folder` that is not hidden; links are followed."""
    return _Walk(folder, _Lister([], None)).files()


class _Lister:
    def __init__(self, ignore: list[str], within: Path | None) -> None:
        self._ignore = [pattern.lower() for pattern in ignore]
        self._within = within.resolve() if within else None
        self._listing = Listing()
        self._pool, self._nested = FilePool(), NestedZips()

    def list(self, root: Location) -> Listing:
        with store_errors(root):
            is_zip = root.is_file()
        if is_zip:
            self._add_zip_at(root, "")
            if self._listing.faults and not self._listing.files:
                raise BadInput(f"{printable(root)} is no folder, and {self._listing.faults[0].reason}")
            return self._listing
        zips: list[tuple[str, Location]] = []
        found: Iterable[tuple[str, Location]]
        found = _Walk(root, self).files() if isinstance(root, Path) else self._objects(root)
        for relative, location in found:
            if PurePosixPath(relative.lower()).suffix == ".zip":
                zips.append((relative, location))
            else:
                paths = tuple(dict.fromkeys(_joined_spellings(relative)))
                self._add(ListedFile(LooseFile(location), paths))
        for relative, location in zips:
            self._add_zip_at(location, printable(relative))
        return self._listing

    def fault(self, name: str, code: str, reason: str) -> None:
        """Record what cannot be read."""
        self._listing.faults.append(Fault(name, code, reason))

    def is_ignored(self, name: str) -> bool:
        """Whether a file or folder of that name is hidden, macOS's litter, or ignored by a pattern."""
        hidden = (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"
        return hidden or any(fnmatch(name.lower(), pattern) for pattern in self._ignore)

    def is_outside(self, path: Path) -> bool:
        """Whether a link leads out of the folder that may be read."""
        return self._within is not None and not path.resolve().is_relative_to(self._within)

    def _objects(self, prefix: UPath) -> Iterator[tuple[str, Location]]:
        """All objects below a prefix: a store has no folders, and one listing names all."""
        with store_errors(prefix):
            keys = sorted(prefix.fs.find(prefix.path))
        for key in keys:
            relative = PurePosixPath(key).relative_to(PurePosixPath(prefix.path))
            if not any(map(self.is_ignored, relative.parts)):
                yield relative.as_posix(), prefix.joinpath(*relative.parts)

    def _add(self, listed: ListedFile) -> None:
        if listed.path.lower().endswith(OTHER_ARCHIVES):
            name = listed.file.name
            self.fault(name, "other-archive", f"{name} is an archive that is not opened; unpack it, or make it a zip")
        self._listing.files.append(listed)

    def _add_zip_at(self, location: Location, relative: str) -> None:
        name = printable(location)
        try:
            archive = open_zip(PooledFile(self._pool, location))
        except BAD_ZIP as error:
            self.fault(name, "corrupt-zip", f"{name} is no zip that can be opened: {error}; its images are missing")
        except OSError as error:
            self.fault(name, "unreadable", f"{name} cannot be read: {why(error)}; its images are missing")
        else:
            self._add_members(_Zip(archive, location, name, relative), depth=1)

    def _add_members(self, opened: "_Zip", depth: int) -> None:
        nested = []
        for member in opened.archive.infolist():
            names = member_names(member)
            parts = PurePosixPath(names[0]).parts
            if names[0].endswith("/") or not parts or any(map(self.is_ignored, parts)):
                continue
            file = ZipMember(opened.name, opened.location, opened.archive, member)
            paths = opened.as_folder(names)
            if parts[-1].lower().endswith(".zip"):
                nested.append((file, paths[0]))
            else:
                self._add(ListedFile(file, paths, opened.as_none(names)))
        for file, path in nested:
            self._add_nested(file, path, depth + 1)

    def _add_nested(self, file: ZipMember, path: str, depth: int) -> None:
        if depth > DEEPEST_ZIP:
            self.fault(
                file.name, "corrupt-zip", f"{file.name} is a zip within {depth - 1} zips; at most {DEEPEST_ZIP - 1}"
            )
            return
        try:
            with store_errors(file.zip_location), file.archive.open(file.member) as stream:
                archive = open_zip(self._nested.unpack(stream, file.name))
        except (*BAD_ZIP, OSError) as error:
            reason = f"{file.name} is no zip that can be opened: {error}; its images are missing"
            self.fault(file.name, "corrupt-zip", reason)
        else:
            self._add_members(_Zip(archive, file.zip_location, file.name, path), depth)


@dataclass(frozen=True)
class _Zip:
    archive: zipfile.ZipFile
    location: Location
    name: str
    relative: str
    """Path of the zip within the collection; empty where it is the collection."""

    def as_folder(self, names: list[str]) -> tuple[str, ...]:
        """The paths of a member within a folder of the zip's name."""
        folder = PurePosixPath(self.relative).with_suffix("") if self.relative else PurePosixPath()
        return tuple((folder / _without_escapes(name)).as_posix() for name in names)

    def as_none(self, names: list[str]) -> tuple[str, ...]:
        """The paths of a member as if the zip had been unpacked where it lies."""
        folder = PurePosixPath(self.relative).parent
        return tuple((folder / _without_escapes(name)).as_posix() for name in names) if self.relative else ()


def _without_escapes(name: str) -> str:
    """A member's name without a leading slash and steps upwards."""
    return "/".join(part for part in PurePosixPath(name).parts if part not in ("/", "//", ".."))


class _Walk:
    """Walks a folder: real folders first, then linked ones that were not met already."""

    def __init__(self, root: Path, lister: _Lister) -> None:
        self._root, self._lister = root, lister
        self._folders: list[tuple[Path, str]] = [(root, "")]
        self._linked: list[tuple[Path, str]] = []
        self._seen: set[tuple[int, int]] = set()

    def files(self) -> Iterator[tuple[str, Path]]:
        """Path relative to the folder, and the file, in the order of names."""
        while self._folders or self._linked:
            folder, relative = self._folders.pop() if self._folders else self._linked.pop(0)
            try:
                status = folder.stat()
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                if folder == self._root:
                    raise BadInput(f"{printable(folder)} cannot be read: {why(error)}") from error
                self._unreadable(folder, error)
                continue
            if (status.st_dev, status.st_ino) not in self._seen:
                self._seen.add((status.st_dev, status.st_ino))
                yield from self._in_folder(entries, relative)

    def _in_folder(self, entries: list["os.DirEntry[str]"], relative: str) -> Iterator[tuple[str, Path]]:
        folders: list[tuple[Path, str]] = []
        for entry in entries:
            if self._lister.is_ignored(entry.name):
                continue
            path, inside = Path(entry.path), f"{relative}{entry.name}"
            try:
                mode = entry.stat().st_mode
            except OSError as error:
                self._unreadable(path, error)
                continue
            if entry.is_symlink() and self._lister.is_outside(path):
                name = printable(path)
                self._lister.fault(name, "outside", f"{name} is a link out of the collections, and is not followed")
            elif stat.S_ISDIR(mode):
                (self._linked if entry.is_symlink() else folders).append((path, f"{inside}/"))
            elif stat.S_ISREG(mode):
                yield inside, path
            else:
                name = printable(path)
                self._lister.fault(name, "unreadable", f"{name} is neither a file nor a folder")
        self._folders += reversed(folders)

    def _unreadable(self, path: Path, error: OSError) -> None:
        name = printable(path)
        self._lister.fault(name, "unreadable", f"{name} cannot be read: {why(error)}")


def _joined_spellings(relative: str) -> Iterator[str]:
    """All spellings of a path; a backslash in a name counts as a slash, as unpacked zips of Windows have it."""
    for spelling in file_name_spellings(relative):
        yield spelling.replace("\\", "/")
