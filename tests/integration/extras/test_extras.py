"""Each service starts from its own extra alone, in an empty environment, and brings none of the others' packages."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from casekin.launcher import redis
from casekin.launcher.ports import free_port
from casekin.launcher.processes import Child, Part

ROOT = Path(__file__).parents[3]
SOURCE = ("pyproject.toml", "constraints.txt", "README.md", "casekin", "services")
FOREIGN = {
    "encoder": ("torch", "onnx", "qdrant_client", "qdrant_edge", "celery", "umap", "dash"),
    "search": ("torch", "onnxruntime", "celery", "umap", "dash"),
    "projector": ("torch", "onnxruntime", "qdrant_client", "qdrant_edge", "dash"),
    "ui": ("torch", "onnxruntime", "qdrant_client", "qdrant_edge", "celery", "umap"),
    "": ("torch", "onnxruntime", "qdrant_client", "qdrant_edge", "celery", "umap", "dash"),
}
"""What must not be importable beside an extra; the empty one is the command alone, as for ingest from elsewhere."""

Install = Callable[[str], Path]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is installed: a build writes beside its source."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def install(source: Path, tmp_path: Path) -> Iterator[Install]:
    """Makes an environment that holds one extra and nothing else; returns its Python."""

    def run(*command: str | Path) -> None:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    def make(extra: str) -> Path:
        uv = Path(sys.executable).with_name("uv")
        links = [f"--find-links={place}" for place in os.environ.get("PIP_FIND_LINKS", "").split()]
        run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
        python = tmp_path / "venv" / "bin" / "python"
        wanted = f"{source}[{extra}]" if extra else str(source)
        run(uv, "pip", "install", "--python", python, *links, "--constraint", source / "constraints.txt", wanted)
        return python

    yield make
    shutil.rmtree(tmp_path / "venv", ignore_errors=True)


def importable(python: Path, names: tuple[str, ...], cwd: Path) -> list[str]:
    code = "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    found = subprocess.run([str(python), "-c", code, *names], cwd=cwd, capture_output=True, text=True, check=True)
    return found.stdout.split()


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[Callable[[], str]]:
    """A process with that environment and no other; yields what fails where it has ended, with the end of its log."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)

    def check() -> str:
        said = log.read_text()[-3000:]
        assert process.poll() is None, said
        return said

    try:
        yield check
    finally:
        process.terminate()
        process.wait(20)


def until(condition: Callable[[], bool], check: Callable[[], str], *, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, check()
        check()
        time.sleep(0.1)


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    settings = redis.config(port=port, folder=tmp_path, password="not-a-secret")
    server = Child(Part("redis", [str(redis.server_binary()), "-"], tmp_path / "redis.log", stdin=settings))
    yield f"redis://:not-a-secret@127.0.0.1:{port}/0"
    server.end(within_s=0)


@pytest.mark.parametrize("service", ["encoder", "search", "projector", "ui"])
def test_service__starts_from_its_extra_alone(
    service: str, install: Install, tiny_bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    python = install(service)
    port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CASEKIN_PORT": str(port),
        "CASEKIN_BUNDLE": str(tiny_bundle),
        "CASEKIN_DATA": str(tmp_path / "data"),
        "CASEKIN_REDIS_URL": redis_url,
    }
    with running([str(python), "-m", f"services.{service}"], tmp_path, environment) as check:
        until(lambda: ready(port), check)
    if service == "projector":
        worker = [str(python), "-m", "services.projector.worker", "--queues", "interactive"]
        with running(worker, tmp_path, environment) as check:
            ping = [*worker, "--ping"]
            until(lambda: subprocess.run(ping, cwd=tmp_path, env=environment, check=False).returncode == 0, check)
    assert importable(python, FOREIGN[service], tmp_path) == []


def test_command__needs_no_extra(install: Install, tmp_path: Path) -> None:
    python = install("")
    command = subprocess.run(
        [str(python.with_name("casekin")), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "up" in command.stdout
    assert importable(python, FOREIGN[""], tmp_path) == []
