import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TRIAL = Path(__file__).with_name("trial.py")

SERVES = """
import os, pathlib, signal, sys, time
events = os.environ["EVENTS"]
def note(what):
    with open(events, "a") as file:
        file.write(f"{what} {os.environ['NAME']} {os.getpid()}\\n")
def stop(*_):
    note("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("start")
pathlib.Path(os.environ["READY"]).touch()
while True:
    time.sleep(0.05)
"""
"""A program that notes when it starts and when it is told to stop."""


def until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class Trial:
    """A launcher in a process of its own, its output, and what its programs noted."""

    def __init__(self, data: Path, *specs: str) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        self._out = data / "out.txt"
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(TRIAL), str(data), *specs],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._out.read_text()

    def events(self) -> list[tuple[str, str, int]]:
        try:
            lines = (self.data / "events").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(what, name, int(pid)) for what, name, pid in (line.split() for line in lines)]

    def pids(self, name: str | None = None) -> list[int]:
        return [pid for what, who, pid in self.events() if what == "start" and name in (None, who)]

    def ready(self) -> "Trial":
        until(lambda: "all ready" in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.output
        return self

    def alive(self) -> list[int]:
        return [pid for pid in self.pids() if lives(pid)]

    def until(self, condition: Callable[[], bool]) -> None:
        until(condition)

    def ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(15)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    started: list[Trial] = []

    def start(*specs: str, data: Path = tmp_path / "data") -> Trial:
        started.append(Trial(data, *specs))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        for pid in each.alive():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def serves() -> str:
    return SERVES
