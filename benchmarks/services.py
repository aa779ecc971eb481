"""Runs real services as processes of their own for the time of a ``with``."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casekin.clients.http import ServiceClient
from casekin.errors import Unavailable
from casekin.launcher.ports import free_port


@contextmanager
def service(name: str, folder: Path, *, timeout_s: float = 60, **settings: str) -> Iterator[str]:
    """Run ``python -m services.NAME`` with ``CASEKIN_*`` settings, its log in `folder`; yields its URL when ready."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CASEKIN_")}
    environment |= {f"CASEKIN_{key.upper()}": value for key, value in settings.items()}
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"],
            env={**environment, "CASEKIN_HOST": "127.0.0.1", "CASEKIN_PORT": str(port)},
            stdout=sink,
            stderr=sink,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(name, url, process, log, timeout_s)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait(name: str, url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    with ServiceClient(url, attempts=1) as client:
        while not client.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{name} did not become ready in {timeout_s:g} s: {log.read_text()[-2000:]}")
            time.sleep(0.05)
