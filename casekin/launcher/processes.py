"""One child process: what to start, whether it answers, its log, its end."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from casekin.launcher.watchdog import signal_group

LOG_LIMIT = 10_000_000
"""Bytes of a log before it becomes ``NAME.log.1``; one such is kept."""

REFUSED = 2
"""Exit status of a service that says why it cannot start (`casekin.service.run.refuse`); trying again is no use."""


@dataclass(frozen=True)
class Part:
    """One process of the plan."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's own."""
    after: tuple[str, ...] = ()
    """Parts that must be ready before this one starts."""
    ready: Callable[[], bool] = lambda: True
    """Called repeatedly until it returns true; blocks for some seconds at most."""
    stdin: bytes = b""
    """Sent once at start: secrets do not belong on a command line."""
    url: str | None = None
    awaited: bool = True
    """Whether the launcher is ready only with it."""
    ready_within_s: float = 90.0
    stop_within_s: float = 8.0


@dataclass(frozen=True)
class Plan:
    """The parts, and where those answer that speak HTTP."""

    parts: list[Part]
    urls: dict[str, str]


class Child:
    """A running part, leader of its own process group."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.started = time.monotonic()
        part.log.parent.mkdir(parents=True, exist_ok=True)
        with part.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  the plan's own commands
                part.command,
                env={**os.environ, **part.environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the launcher alone, which stops the parts in order
            )
        with contextlib.suppress(BrokenPipeError):  # a part that died at once is seen by `status`
            assert self._process.stdin is not None
            self._process.stdin.write(part.stdin)
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        """Of the process and of its group."""
        return self._process.pid

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def status(self) -> int | None:
        """The exit status, negative for a signal, or none while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process itself, which ends its own children."""
        if self.status() is None:
            self._process.terminate()

    def end(self, *, within_s: float) -> bool:
        """Wait up to `within_s` seconds, then kill the group; whether it ended by itself."""
        try:
            self._process.wait(timeout=max(within_s, 0.0))
            by_itself = True
        except subprocess.TimeoutExpired:
            by_itself = False
        signal_group(self.pid, signal.SIGKILL)  # also what the process left behind
        self._process.wait()
        return by_itself

    def last_lines(self, count: int = 8) -> list[str]:
        """The end of what this child wrote to its log."""
        with self.part.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(min(self._log_start, size), size - 16_384))
            return log.read().decode(errors="replace").splitlines()[-count:]


class ReadinessCommand:
    """A readiness check that is a program: ready where it ends with 0; run again after a while until then."""

    def __init__(self, command: list[str], environment: Mapping[str, str], *, every_s: float = 1.0) -> None:
        self._command, self._environment, self._every_s = command, environment, every_s
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0.0

    def __call__(self) -> bool:
        """Whether the program has ended with 0; never waits for it."""
        if self._process is None:
            if time.monotonic() >= self._due:
                self._start()
            return False
        status = self._process.poll()
        if status is None:
            return False
        self._process = None
        self._due = time.monotonic() + self._every_s
        return status == 0

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  the plan's own commands
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def bound_log(log: Path, *, limit: int = LOG_LIMIT) -> None:
    """Move a log that has grown over `limit` bytes aside; its writer appends, and so goes on in the emptied file."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
