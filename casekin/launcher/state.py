"""The state of a data folder: the lock of its only launcher, and a file that says where its services answer."""

import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from casekin.atomic_files import write_durably
from casekin.errors import Conflict, Unavailable

LOCK = "launcher.lock"
STATE = "running.json"


class Running(BaseModel):
    """``running.json``: who launched, and the URL of each service that speaks HTTP by its name."""

    model_config = ConfigDict(frozen=True)

    pid: int
    """Of the launcher."""
    started: datetime
    urls: dict[str, str]

    def url(self, service: str) -> str:
        """Where `service` answers; raises `Unavailable` where it was not launched."""
        if service not in self.urls:
            raise Unavailable(f"{service} was not launched; running are {', '.join(sorted(self.urls)) or 'none'}")
        return self.urls[service]


def running(data: Path) -> Running | None:
    """The services that run on `data` now, or none; the file of a killed launcher does not count."""
    try:
        found = Running.model_validate_json((data / STATE).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if _is_locked(data / LOCK) else None


def write_running(data: Path, urls: dict[str, str]) -> Running:
    """Write down for other processes where the services of this launcher answer."""
    state = Running(pid=os.getpid(), started=datetime.now(UTC), urls=urls)
    write_durably(data / STATE, state.model_dump_json(indent=1).encode())
    return state


def forget_running(data: Path) -> None:
    """Remove the file, before the services stop."""
    (data / STATE).unlink(missing_ok=True)


def take_lock(data: Path, *, patience_s: float = 15.0) -> int:
    """Lock `data` for this launcher; returns the descriptor: the lock ends when all who inherited it have closed it.

    Where the other launcher is gone and its watchdog still stops the services, waits up to `patience_s` seconds.
    Raises `Conflict` that names the process which has the lock.
    """
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while not _lock(descriptor):
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        if _alive(holder) or time.monotonic() > deadline:
            os.close(descriptor)
            raise Conflict(
                f"{data} is in use by the launcher with process id {holder}: stop it with Ctrl-C in its terminal or "
                f"`kill {holder}`, or give another folder with --data"
            )
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _is_locked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's, who runs it or has left the file behind
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
