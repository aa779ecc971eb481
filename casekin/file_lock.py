"""Locks between processes, as files: the system releases them when their owner ends, however it ends."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL_S = 0.02


class FileLock:
    """An exclusive lock on a file, with flock(2); the file holds the owner's process id.

    Two instances exclude each other also within one process; one instance is not reentrant.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Wait for the lock as long as it takes."""
        self.acquire(wait_s=float("inf"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def descriptor(self) -> int:
        """The open file; a child process that inherits it keeps the lock after this one has ended."""
        assert self._descriptor is not None, f"{self.path} is not locked"
        return self._descriptor

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Lock; False where another owner still has it after `wait_s` seconds."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            time.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let others lock; nothing happens where it is not locked."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> str:
        """Process id of the present or last owner; empty where there was none yet."""
        try:
            return self.path.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock on `path` now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's, who has locked it or has left the file behind
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
