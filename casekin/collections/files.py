"""The files of a collection, loose or in zips, read one by one; no member's name ever becomes a path."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from casekin.collections.archives import BAD_ZIP
from casekin.collections.locations import Location, store_errors, why
from casekin.collections.text import printable
from casekin.errors import AmbiguousImage, BadInput, CasekinError, CorruptImage, UploadTooLarge

MAX_IMAGE_BYTES = 20_000_000
"""Of one image, unpacked: the limit of an upload."""
_COMPARED_BYTES = 4096


class ImageSource(Protocol):
    """Where the bytes of one image are; safe to read from several threads."""

    @property
    def name(self) -> str:
        """Path, or zip and member, for messages."""

    @property
    def stamp(self) -> str:
        """Changes when the bytes do; needs no read of them."""

    def read(self) -> bytes:
        """All bytes; raises `CorruptImage` where they cannot be read, `UploadTooLarge` above `MAX_IMAGE_BYTES`."""


@dataclass(frozen=True)
class LooseFile:
    """A file in a folder, or an object in a store."""

    location: Location

    @property
    def name(self) -> str:
        """The path."""
        return printable(self.location)

    @property
    def stamp(self) -> str:
        """Size and time of the last change."""
        with store_errors(self.location):
            status = self.location.stat()
        return f"{status.st_size}-{status.st_mtime_ns}"

    @property
    def size(self) -> int | None:
        """Bytes; none where that cannot be found out."""
        try:
            with store_errors(self.location):
                return self.location.stat().st_size
        except OSError:
            return None

    def read(self, limit: int = MAX_IMAGE_BYTES) -> bytes:
        """All bytes of the file."""
        return _limited(self.begin(limit + 1), limit, self.name)

    def begin(self, count: int) -> bytes:
        """The first `count` bytes."""
        try:
            with store_errors(self.location), self.location.open("rb") as stream:
                return stream.read(count)
        except PermissionError as error:
            raise BadInput(f"{self.name} may not be read: {why(error)}") from error
        except OSError as error:
            raise CorruptImage(f"{self.name} cannot be read: {why(error)}") from error


@dataclass(frozen=True)
class ZipMember:
    """A member of a zip."""

    zip_name: str
    """For messages."""
    zip_location: Location
    """Of the outermost zip."""
    archive: zipfile.ZipFile
    member: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """The zip and the member."""
        return f"{self.zip_name}:{printable(self.member.filename)}"

    @property
    def stamp(self) -> str:
        """Size and checksum."""
        return f"{self.member.file_size}-{self.member.CRC:08x}"

    @property
    def size(self) -> int | None:
        """Bytes, as the zip says."""
        return self.member.file_size

    def read(self, limit: int = MAX_IMAGE_BYTES) -> bytes:
        """All bytes of the member; reads no further than `limit`, whatever size the zip says."""
        return _limited(self.begin(limit + 1), limit, self.name)

    def begin(self, count: int) -> bytes:
        """The first `count` bytes."""
        try:
            with store_errors(self.zip_location), self.archive.open(self.member) as stream:
                return stream.read(count)
        except (*BAD_ZIP, OSError) as error:
            raise CorruptImage(f"{self.name} cannot be unpacked: {error}") from error


StoredFile = LooseFile | ZipMember


def seem_equal(files: Sequence[StoredFile]) -> bool:
    """Whether files have one size and one beginning; `Copies` checks the rest when it reads them."""
    if len({file.size for file in files}) > 1:
        return False
    try:
        return len({file.begin(_COMPARED_BYTES) for file in files}) == 1
    except CasekinError:
        return False


@dataclass(frozen=True)
class Copies:
    """Several files of one name and size, such as a zip and the folder it was unpacked to; they must be equal."""

    files: tuple[StoredFile, ...]

    @property
    def name(self) -> str:
        """Of the first."""
        return self.files[0].name

    @property
    def stamp(self) -> str:
        """Of the first."""
        return self.files[0].stamp

    def read(self) -> bytes:
        """The bytes of all; raises `AmbiguousImage` where they differ."""
        data = self.files[0].read()
        checksum = zlib.crc32(data)
        for other in self.files[1:]:
            theirs = other.member.CRC if isinstance(other, ZipMember) else zlib.crc32(other.read())
            if theirs != checksum:
                raise AmbiguousImage(f"{self.name} and {other.name} have one name and different content")
        return data


def _limited(data: bytes, limit: int, name: str) -> bytes:
    if len(data) > limit:
        raise UploadTooLarge(f"{name} holds more than {limit / 1e6:.0f} MB")
    return data
