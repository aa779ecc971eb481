"""The folder of an embedded index: its lock, its revision, its room, and the fsync of its write-ahead log."""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from casekin.atomic_files import sync_folder, write_durably
from casekin.errors import Conflict, StorageFull

READ_AHEAD = "read-ahead"
"""Name of the thread that does it."""
_CHUNK = 1 << 22


class IndexFolder:
    """``lock``, ``revision``, ``created`` and ``shard/`` under one folder, held by one process."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._reserve = reserve_bytes
        self._lock = self._take_lock(folder / "lock")
        self.shard = folder / "shard"
        self._revision = folder / "revision"
        self.counter = int(self._revision.read_text()) if self._revision.exists() else 0
        """How often the cases changed, as far as it is told to readers."""
        if not self.has_shard:
            shutil.rmtree(self.shard, ignore_errors=True)  # its making was interrupted: there was nothing in it yet

    @property
    def has_shard(self) -> bool:
        """Whether the shard was made to its end, with its payload indexes."""
        return (self._folder / "created").exists()

    def mark_created(self) -> None:
        """From now on the shard is opened, not made."""
        write_durably(self._folder / "created", b"")

    @staticmethod
    def _take_lock(path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode().strip() or "unknown"
            os.close(descriptor)
            raise Conflict(
                f"the index in {path.parent} is open in another process (pid {holder}); stop that one, "
                "or set CASEKIN_DATA to another folder, or CASEKIN_QDRANT_URL to share a server"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def release(self) -> None:
        """Let others open the folder."""
        os.close(self._lock)

    def check_room(self) -> None:
        """Raise `StorageFull` before the engine would: it maps its files, and a full disk then kills the process."""
        free = shutil.disk_usage(self._folder).free
        if free < self._reserve:
            raise StorageFull(
                f"{free / 1e6:.0f} MB are free in {self._folder}; {self._reserve / 1e6:.0f} MB must stay free: "
                "free some space and send it again"
            )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around a change of the cases: the next revision is on disk before it, and told to readers after it.

        So no revision is ever met with two contents, also where the process dies in between.
        """
        following = self.counter + 1
        write_durably(self._revision, str(following).encode())
        try:
            yield
        finally:
            self.counter = following

    def read_ahead(self) -> None:
        """Read the shard's files through in the background, so that the system has them in its cache: 1.3 GB in 1.4 s.

        Each page that it lacks costs a search 0.1 ms, and eighteen cases lie on as many pages. (The advice WILLNEED
        brings a part of them only.) An index larger than half of the memory is left alone.
        """
        files = [path for path in self.shard.rglob("*") if path.is_file()]
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if sum(path.stat().st_size for path in files) < memory / 2:
            threading.Thread(target=_read_through, args=(files,), name=READ_AHEAD, daemon=True).start()

    def sync_log(self) -> None:
        """Force the write-ahead log to disk: from it the engine rebuilds what its own files do not have yet."""
        sync_folder(self.shard / "wal")


def _read_through(files: Sequence[Path]) -> None:
    for path in files:
        with suppress(OSError), path.open("rb", buffering=0) as file:  # the index may be closed and deleted meanwhile
            while file.read(_CHUNK):
                pass
