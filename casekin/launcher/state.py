"""What runs on a data folder: one lock that only one launcher holds, and a file that says where its services answer."""

import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

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
    """What a launcher runs on `data` now, or none; a file left by a killed launcher does not count."""
    try:
        found = Running.model_validate_json((data / STATE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return found if _held(data / LOCK) else None


def write_running(data: Path, urls: dict[str, str]) -> Running:
    """Tell others where the services of this launcher answer; replaces the file as a whole."""
    state = Running(pid=os.getpid(), started=datetime.now(UTC), urls=urls)
    fresh = data / f"{STATE}.tmp"
    fresh.write_text(state.model_dump_json(indent=1))
    fresh.replace(data / STATE)
    return state


def forget_running(data: Path) -> None:
    """The services are going."""
    (data / STATE).unlink(missing_ok=True)


def take_lock(data: Path, *, patience_s: float = 15.0) -> int:
    """Hold `data` for this launcher; returns the descriptor, whose closing by all who inherited it frees the folder.

    Where the holder itself is gone and its watchdog still stops the services, waits up to `patience_s` seconds.
    Raises `Conflict` that names the process which holds it.
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


def _held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
