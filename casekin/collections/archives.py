"""Opens zips, also zips within zips, with few files open at a time."""

import io
import os
import struct
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import IO, Any, Protocol

from casekin.collections.locations import Location, store_errors
from casekin.errors import StorageFull

MAX_OPEN = 16
"""Files that are kept open; a collection may lie in hundreds of zips, and a process may open about a thousand files."""
MAX_NESTED_BYTES = 64 * 10**9
"""Unpacked size of all zips within zips of one collection."""
_BLOCK = 2**20

BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError, struct.error)
"""Raised by the standard library for damaged, encrypted or unknown zips, also for names that are no UTF-8."""


class Storage(Protocol):
    """Bytes that can be read at any position, from several threads."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on."""


class FilePool:
    """Keeps the files that were read last open, at most `MAX_OPEN` of them; safe to use from several threads."""

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self._limit = limit
        self._idle: OrderedDict[Location, IO[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def read_at(self, location: Location, position: int, count: int) -> bytes:
        """Up to `count` bytes of the file from `position` on."""
        stream = self._take(location)
        try:
            stream.seek(position)
            data = stream.read(count)
        except BaseException:
            stream.close()
            raise
        self._give_back(location, stream)
        return data

    def size(self, location: Location) -> int:
        """Size of the file in bytes."""
        stream = self._take(location)
        size = stream.seek(0, os.SEEK_END)
        self._give_back(location, stream)
        return size

    def _take(self, location: Location) -> IO[bytes]:
        with self._lock:
            stream = self._idle.pop(location, None)
        return location.open("rb") if stream is None else stream

    def _give_back(self, location: Location, stream: IO[bytes]) -> None:
        with self._lock:
            surplus = self._idle.pop(location, None)
            self._idle[location] = stream
            oldest = self._idle.popitem(last=False)[1] if len(self._idle) > self._limit else None
        for unneeded in (surplus, oldest):
            if unneeded is not None:
                unneeded.close()


class PooledFile:
    """A file of a pool as `Storage`."""

    def __init__(self, pool: FilePool, location: Location) -> None:
        with store_errors(location):
            self.size = pool.size(location)
        self._pool, self._location = pool, location

    def read_at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on."""
        with store_errors(self._location):
            return self._pool.read_at(self._location, position, count)


class NestedZips:
    """Zips that lie within zips, unpacked one after the other into one temporary file without a name."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0
        self._lock = threading.Lock()

    def unpack(self, stream: IO[bytes], name: str) -> "Storage":
        """Append `stream` to the file; raises `StorageFull` where it has no room, `BadZipFile` over the limit."""
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the collection
            begin = self._end
            while block := stream.read(_BLOCK):
                if self._end + len(block) > MAX_NESTED_BYTES:
                    raise zipfile.BadZipFile(f"zips within zips have more than {MAX_NESTED_BYTES // 10**9} GB")
                self._write(block, name)
            return _Section(self._file, begin, self._end - begin)

    def _write(self, block: bytes, name: str) -> None:
        assert self._file is not None
        try:
            os.pwrite(self._file.fileno(), block, self._end)
        except OSError as error:
            raise StorageFull(
                f"{tempfile.gettempdir()} has no room to unpack {name}, a zip within a zip: unpack it yourself, "
                "or name a larger folder in TMPDIR"
            ) from error
        self._end += len(block)


@dataclass(frozen=True)
class _Section:
    file: IO[bytes]
    begin: int
    size: int

    def read_at(self, position: int, count: int) -> bytes:
        count = max(0, min(count, self.size - position))
        return os.pread(self.file.fileno(), count, self.begin + position)


class _View(io.RawIOBase):
    """`Storage` as the seekable file that the standard library's zip reader wants."""

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._storage, self._position = storage, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._storage.size}[whence]
        if base + offset < 0:
            raise OSError("the position lies before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._storage.read_at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_zip(storage: Storage) -> zipfile.ZipFile:
    """The zip in `storage`, to read; raises one of `BAD_ZIP` where it is none."""
    return zipfile.ZipFile(_View(storage))


def member_names(member: zipfile.ZipInfo) -> list[str]:
    """All spellings of a member's name with forward slashes: a zip that does not say UTF-8 may have been meant so."""
    if member.flag_bits & 0x800:
        names = [member.filename]
    else:
        raw = member.filename.encode("cp437", errors="replace")
        names = [text for encoding in ("utf-8", "cp850", "cp1252") if (text := _decoded(raw, encoding))]
        names.append(member.filename)
    return list(dict.fromkeys(name.replace("\\", "/") for name in names))


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None
