"""Runs real services, their workers and Redis as processes of their own for the time of a ``with``."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from casekin.clients.http import ServiceClient
from casekin.errors import Unavailable
from casekin.launcher import redis
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


@contextmanager
def worker(queue: str, folder: Path, settings: Mapping[str, str], *, timeout_s: float = 600) -> Iterator[None]:
    """Run a worker of `queue` likewise."""
    command = [sys.executable, "-m", "services.projector.worker", "--queues", queue]
    environment = _environment(settings)

    def lives() -> bool:
        return subprocess.run([*command, "--ping"], env=environment, capture_output=True, check=False).returncode == 0

    with _running(f"worker-{queue}", command, folder, settings, lives, timeout_s):
        yield


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run the server that the launcher would run, its data in `folder`; yields its URL when it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    port, password = free_port(), secrets.token_urlsafe(16)
    process = subprocess.Popen(
        [str(redis.server_binary()), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    process.stdin.write(redis.config(port=port, folder=folder, password=password))
    process.stdin.close()
    try:
        _wait("redis", lambda: redis.answers(port, password), process, None, 30)
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


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
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CASEKIN_")}
    return clean | {f"CASEKIN_{key.upper()}": value for key, value in settings.items()}


def _wait(
    name: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path | None, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            told = log.read_text()[-2000:] if log else ""
            raise Unavailable(f"{name} did not become ready in {timeout_s:g} s: {told}")
        time.sleep(0.05)
