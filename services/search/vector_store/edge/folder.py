"""The folder of an embedded index: its lock, its revision, its disk space, and the fsync of its write-ahead log."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from casekin.atomic_files import sync_folder, write_durably
from casekin.errors import Conflict
from casekin.file_lock import FileLock
from services.search.vector_store.disk_reserve import DiskReserve
from services.search.vector_store.edge.collection_config import LOG_SEGMENT_BYTES

READ_AHEAD = "read-ahead"
"""Name of the thread that reads the files at start."""
_CHUNK = 1 << 22


class IndexFolder:
    """``lock``, ``revision``, ``created`` and ``shard/`` under one folder, locked by one process."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.reserve = DiskReserve(folder, reserve_bytes)
        self._lock = FileLock(folder / "lock")
        if not self._lock.acquire():
            raise Conflict(
                f"the index in {folder} is open in another process (pid {self._lock.owner() or 'unknown'}); stop that "
                "one, or set CASEKIN_DATA to another folder, or CASEKIN_QDRANT_URL to share a server"
            )
        self.shard = folder / "shard"
        self._revision = folder / "revision"
        self.counter = int(self._revision.read_text()) if self._revision.exists() else 0
        """Number of changes of the cases that readers can see."""
        if not self.has_shard:
            shutil.rmtree(self.shard, ignore_errors=True)  # its creation was interrupted: it has no case yet

    @property
    def has_shard(self) -> bool:
        """Whether the shard was created completely, with its payload indexes."""
        return (self._folder / "created").exists()

    def mark_created(self) -> None:
        """Note that the shard is complete, so that the next start opens it."""
        write_durably(self._folder / "created", b"")

    def release(self) -> None:
        """Release the lock, so that others can open the folder."""
        self._lock.release()

    def has_room_to_log(self) -> bool:
        """Whether the disk takes one more file of the write-ahead log; it is tried, as quotas limit it too."""
        probe = self._folder / "probe"
        try:
            with probe.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, LOG_SEGMENT_BYTES)
        except OSError as error:
            return error.errno not in (errno.ENOSPC, errno.EDQUOT)
        finally:
            probe.unlink(missing_ok=True)
        return True

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Wrap a change of the cases: the next revision is on disk before it, and visible to readers after it.

        So no revision ever has two contents, even if the process dies in between.
        """
        following = self.counter + 1
        write_durably(self._revision, str(following).encode())
        try:
            yield
        finally:
            self.counter = following

    def read_ahead(self) -> None:
        """Read all files of the shard in the background into the system's cache: 1.3 GB in 1.4 s.

        Each page that is not cached costs a search 0.1 ms, and eighteen cases lie on as many pages. (WILLNEED
        reads only a part of them.) An index larger than half of the memory is not read.
        """
        sizes = _file_sizes(self.shard)
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if sum(sizes.values()) < memory / 2:
            threading.Thread(target=_read_through, args=(list(sizes),), name=READ_AHEAD, daemon=True).start()

    def sync_log(self) -> None:
        """Force the write-ahead log to disk: the engine restores from it what its own files lack."""
        sync_folder(self.shard / "wal")


def _file_sizes(folder: Path) -> dict[Path, int]:
    """The bytes of each file under `folder`; the engine's threads may rename and delete files meanwhile."""
    sizes = {}
    for parent, _, names in os.walk(folder):  # goes on where a folder is gone
        for path in (Path(parent, name) for name in names):
            with suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
    return sizes


def _read_through(files: Sequence[Path]) -> None:
    for path in files:
        with suppress(OSError), path.open("rb", buffering=0) as file:  # the index may be closed and deleted meanwhile
            while file.read(_CHUNK):
                pass
