"""Stops the services of a launcher that was killed: `python -m casekin.launcher.watchdog`, its standard input a pipe.

The launcher writes ``+PID`` for each process group it starts and ``-PID`` for each that ended. The end of the pipe
means that the launcher is gone, for whatever reason; the groups still listed get SIGTERM and, later, SIGKILL.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import IO

GRACE_S = 8.0
"""How long a service may take to stop by itself; seconds."""


class Watchdog:
    """The launcher's end of the pipe."""

    def __init__(self, lock: int) -> None:
        """`lock` is inherited, so that the data folder stays taken until the last service is gone."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "casekin.launcher.watchdog"],
            stdin=subprocess.PIPE,
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
        )

    def add(self, group: int) -> None:
        """Stop `group` too if this process dies."""
        self._send(f"+{group}\n")

    def remove(self, group: int) -> None:
        """`group` has ended; its number may be given to others."""
        self._send(f"-{group}\n")

    def close(self) -> None:
        """All services have ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def watch(lines: IO[str]) -> set[int]:
    """The process groups that are listed when `lines` end."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; whether there was one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Wait for the launcher's end, then end its services."""
    groups = watch(sys.stdin)
    deadline = time.monotonic() + GRACE_S
    for group in groups:
        signal_group(group, signal.SIGTERM)
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if signal_group(group, 0)}
        time.sleep(0.1)
    for group in groups:
        signal_group(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
