"""The state of a data folder: the lock of its only launcher, and a file that says where its services answer."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from casekin.atomic_files import write_durably
from casekin.errors import Conflict, Unavailable
from casekin.file_lock import FileLock, is_locked

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
    return found if is_locked(data / LOCK) else None


def write_running(data: Path, urls: dict[str, str]) -> Running:
    """Write down for other processes where the services of this launcher answer."""
    state = Running(pid=os.getpid(), started=datetime.now(UTC), urls=urls)
    write_durably(data / STATE, state.model_dump_json(indent=1).encode())
    return state


def forget_running(data: Path) -> None:
    """Remove the file, before the services stop."""
    (data / STATE).unlink(missing_ok=True)


def take_lock(data: Path, *, patience_s: float = 15.0) -> FileLock:
    """Lock `data` for this launcher; the lock ends when all who inherited its descriptor have closed it.

    Where the other launcher is gone and its watchdog still stops the services, waits up to `patience_s` seconds.
    Raises `Conflict` that names the process which has the lock.
    """
    lock = FileLock(data / LOCK)
    deadline = time.monotonic() + patience_s
    while not lock.acquire(wait_s=0.1):
        owner = lock.owner()
        if _alive(owner) or time.monotonic() > deadline:
            raise Conflict(
                f"{data} is in use by the launcher with process id {owner}: stop it with Ctrl-C in its terminal or "
                f"`kill {owner}`, or give another folder with --data"
            )
    return lock


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's
        return True
    return True
