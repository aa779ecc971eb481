"""One writer at a time among all copies of the service that share an image store."""

import contextlib
import json
import secrets
import threading
import time
from types import TracebackType
from typing import Any, Protocol, Self

import structlog
from typing_extensions import override

from casekin.errors import Unavailable
from casekin.file_lock import FileLock

log = structlog.get_logger("search")
WAIT_S = 25.0
"""Seconds a change waits for the one before; less than the timeout of the clients, so that they get the reason."""
LEASE_S = 120.0
"""Seconds after which a lease that nobody renews is taken over."""
_POLL_S = 0.2
_FREE = b'{"owner": null}'


class CopiesLock(Protocol):
    """Excludes other processes; not reentrant, and used by one thread at a time."""

    def acquire(self, wait_s: float) -> bool:
        """Lock; False where another owner still has it after `wait_s` seconds."""

    def release(self) -> None:
        """Let others lock."""

    def check(self) -> None:
        """Raise `Unavailable` where the lock may have been lost; call it right before a write."""


class FolderLock(FileLock, CopiesLock):
    """For an image store in a folder: the system keeps the lock as long as the process lives."""

    @override
    def check(self) -> None:
        """It cannot be lost."""


class Lease(CopiesLock):
    """For an image store in object storage: a numbered object, made on the condition that it is not there.

    Only the owner of the highest number has the lock. It renews its object while it works; a number that is marked
    free, or was not renewed for `lease_s` seconds of the observer's own clock, is followed by the next one. A slow
    process that makes a number below the highest sees so when it lists them, and withdraws.
    """

    def __init__(self, fs: Any, folder: str, lease_s: float = LEASE_S) -> None:
        """`fs` is an fsspec file system without a cache of its listings."""
        self._fs, self._folder, self._lease_s = fs, folder, lease_s
        self._number = 0
        self._renewed = 0.0
        self._seen: tuple[int, bytes, float] = (0, b"", 0.0)
        """Number and content of the highest object, and since when it has been the same."""
        self._released = threading.Event()
        self._renewing = threading.Lock()
        """Held while the object is renewed or marked free, so that the mark comes last."""

    def warn_if_unconditional(self) -> None:
        """Log a warning where the store overwrites an object that was to be made only if it is not there."""
        probe = f"{self._folder}-probe-{secrets.token_hex(8)}"
        self._fs.pipe_file(probe, b"1", mode="create")
        try:
            self._fs.pipe_file(probe, b"2", mode="create")
        except OSError:
            return
        finally:
            self._fs.rm_file(probe)
        log.warning("the image store ignores conditional writes: run one copy of search only", folder=self._folder)

    @override
    def acquire(self, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while True:
            started = time.monotonic()
            number, content = self._highest()
            if (content == _FREE or self._expired(number, content)) and self._make(number + 1):
                self._hold(number + 1, started)
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)

    @override
    def release(self) -> None:
        self._released.set()
        with self._renewing, contextlib.suppress(FileNotFoundError):
            self._fs.pipe_file(self._path(self._number), _FREE)

    @override
    def check(self) -> None:
        """A write may begin in the first half of the lease: it ends before the second does."""
        if time.monotonic() - self._renewed > self._lease_s / 2:
            raise Unavailable(
                "the image store did not answer for so long that another copy of search may write; try again",
                retry_after_s=10,
            )

    def _highest(self) -> tuple[int, bytes]:
        """The highest number and its content; 0 and free where there is none."""
        while (number := max(self._numbers(), default=0)) > 0:
            with contextlib.suppress(FileNotFoundError):  # followed by another one meanwhile
                return number, bytes(self._fs.cat_file(self._path(number)))
        return 0, _FREE

    def _numbers(self) -> list[int]:
        try:
            return [int(str(path).rpartition("/")[2]) for path in self._fs.ls(self._folder, detail=False)]
        except FileNotFoundError:
            return []

    def _expired(self, number: int, content: bytes) -> bool:
        now = time.monotonic()
        if self._seen[:2] != (number, content):
            self._seen = (number, content, now)
        return now - self._seen[2] > self._lease_s

    def _make(self, number: int) -> bool:
        mine = _owned()
        try:
            self._fs.pipe_file(self._path(number), mine, mode="create")
        except PermissionError:
            raise
        except OSError:  # it is there; stores name that in different ways
            if self._highest() != (number, mine):  # it is mine where the first answer was lost and the call repeated
                return False
        numbers = self._numbers()
        if max(numbers, default=0) != number:
            self._delete(number)
            return False
        for older in numbers:
            if older < number:
                self._delete(older)
        return True

    def _delete(self, number: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(number))

    def _hold(self, number: int, since: float) -> None:
        self._number, self._renewed = number, since
        self._released = threading.Event()
        threading.Thread(target=self._renew, args=(number, self._released), name="lease", daemon=True).start()

    def _renew(self, number: int, released: threading.Event) -> None:
        while not released.wait(self._lease_s / 6):
            started = time.monotonic()
            try:
                with self._renewing:
                    if not released.is_set() and max(self._numbers(), default=0) == number:
                        self._fs.pipe_file(self._path(number), _owned())
                        self._renewed = started
            except Exception as error:  # the next turn tries again, and `check` stops the writes
                log.warning("the lease on the image store was not renewed", error=str(error))

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:012d}"


def _owned() -> bytes:
    """Content that no other call makes: it changes with each renewal."""
    return json.dumps({"owner": secrets.token_hex(16)}).encode()


class ChangeLock:
    """The lock that a thread holds while it changes cases or indexes; reentrant.

    Threads of this process wait for each other, then for the other copies of the service.
    """

    def __init__(self, copies: CopiesLock, wait_s: float = WAIT_S) -> None:
        self._copies, self._wait_s = copies, wait_s
        self._threads = threading.RLock()
        self._depth = 0

    def __enter__(self) -> Self:
        """Raises `Unavailable` where another change takes longer than `wait_s` seconds."""
        deadline = time.monotonic() + self._wait_s
        if not self._threads.acquire(timeout=self._wait_s):
            raise self._busy()
        try:
            if self._depth == 0 and not self._copies.acquire(max(0.0, deadline - time.monotonic())):
                raise self._busy()
        except BaseException:
            self._threads.release()
            raise
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        try:
            if self._depth == 0:
                self._copies.release()
        finally:
            self._threads.release()

    def check(self) -> None:
        """Raise `Unavailable` where the lock may have been lost; call it right before a write to the index."""
        self._copies.check()

    def _busy(self) -> Unavailable:
        return Unavailable(
            f"another change of the collection has been running for {self._wait_s:g} seconds (a snapshot, a restore, "
            "or a write by another copy of search); nothing was changed, try again",
            retry_after_s=10,
        )
