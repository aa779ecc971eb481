"""Runs real services, their workers and Redis as processes of their own for the time of a ``with``."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from casekin.clients.http import ServiceClient
from casekin.errors import Unavailable
from casekin.launcher import redis
from casekin.launcher.plan import THREAD_POOLS
from casekin.launcher.ports import free_port


@contextmanager
def service(name: str, folder: Path, settings: Mapping[str, str], *, timeout_s: float = 60) -> Iterator[str]:
    """Run ``python -m services.NAME`` with ``CASEKIN_*`` settings, its log in `folder`; yields its URL when ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ServiceClient(url, attempts=1) as client:
        command = [sys.executable, "-m", f"services.{name}"]
        own = {"host": "127.0.0.1", "port": str(port)}
        with _running(name, command, folder, {**settings, **own}, client.is_ready, timeout_s):
            yield url


class Worker:
    """A worker of `queue` for the time of a ``with``; one that dies is started again, as the launcher does."""

    def __init__(self, queue: str, folder: Path, settings: Mapping[str, str], *, timeout_s: float = 600) -> None:
        self._name, self._log, self._timeout_s = f"worker-{queue}", folder / f"worker-{queue}.log", timeout_s
        self._command = [sys.executable, "-m", "services.projector.worker", "--queues", queue]
        self._environment = _environment(settings)
        self._stopping = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._minder = threading.Thread(target=self._mind, name=self._name, daemon=True)

    def __enter__(self) -> Self:
        self._start()
        try:
            _wait(self._name, self._lives, self._processes[0], self._log, self._timeout_s)
        except Unavailable:
            self._processes[0].kill()
            raise
        self._minder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._processes[-1].terminate()
        if self._minder.is_alive():
            self._minder.join(30)
        for process in self._processes:  # children of one that was killed may be at work still
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self, *, child: bool) -> int:
        """SIGKILL the process, or a `child` of it; how many there were to kill."""
        pid = self._processes[-1].pid
        try:
            if child:
                pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
        except (OSError, IndexError):
            return 0
        return 1

    def _start(self) -> None:
        with self._log.open("ab") as sink:
            process = subprocess.Popen(
                self._command, env=self._environment, stdout=sink, stderr=sink, start_new_session=True
            )
        self._processes.append(process)

    def _mind(self) -> None:
        while True:
            self._processes[-1].wait()
            if self._stopping.is_set():
                return
            self._start()

    def _lives(self) -> bool:
        ping = subprocess.run([*self._command, "--ping"], env=self._environment, capture_output=True, check=False)
        return ping.returncode == 0


@contextmanager
def workers(queues: Iterable[str], folder: Path, settings: Mapping[str, str]) -> Iterator[dict[str, Worker]]:
    """One of each queue; they come up and go side by side, for each takes seconds."""
    made = {queue: Worker(queue, folder, settings) for queue in queues}
    with ThreadPoolExecutor(len(made)) as pool:
        try:
            list(pool.map(Worker.__enter__, made.values()))
            yield made
        finally:
            list(pool.map(Worker.__exit__, made.values()))


class Redis:
    """The server that the launcher would run, its data in `folder`, for the time of a ``with``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._port, self._password = folder, free_port(), secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it on what it left; returns when it answers."""
        command, quiet = [str(redis.server_binary()), "-"], subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        assert self._process.stdin is not None
        self._process.stdin.write(redis.config(port=self._port, folder=self._folder, password=self._password))
        self._process.stdin.close()
        _wait("redis", lambda: redis.answers(self._port, self._password), self._process, None, 30)

    def stop(self, *, kill: bool = False) -> None:
        """Stop it tidily, or with SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._process.wait(30)


@contextmanager
def _running(
    name: str,
    command: list[str],
    folder: Path,
    settings: Mapping[str, str],
    ready: Callable[[], bool],
    timeout_s: float,
) -> Iterator[None]:
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=_environment(settings), stdout=sink, stderr=sink)
        try:
            _wait(name, ready, process, log, timeout_s)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """As the launcher gives it: one thread a pool, so that processes do not wait for one another.

    What numba compiled for one worker serves the next, in this run and in later ones.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CASEKIN_")}
    kept = {"NUMBA_CACHE_DIR": str(Path(tempfile.gettempdir()) / f"casekin-benchmarks-numba-{os.getuid()}")}
    named = {f"CASEKIN_{key.upper()}": value for key, value in settings.items()}
    return kept | clean | dict.fromkeys(THREAD_POOLS, "1") | named


def _wait(
    name: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path | None, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            log_end = log.read_text()[-2000:] if log else ""
            raise Unavailable(f"{name} did not become ready in {timeout_s:g} s: {log_end}")
        time.sleep(0.05)
