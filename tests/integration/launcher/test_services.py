"""The launcher over the real services: start, first collection, second start, crash, end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.clients.http import ServiceClient
from casekin.launcher.state import Running, running
from casekin.phantoms import write_phantoms

COUNT = 40
CASEKIN = str(Path(sys.executable).with_name("casekin"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def until(condition: Callable[[], object], *, within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.1)


def processes_of(data: Path) -> dict[int, str]:
    """Process ids and command lines of all that serve `data`."""
    wanted, found = f"CASEKIN_DATA={data}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
    return {pid: line for pid, line in found.items() if line}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection") / "phantoms"
    assert list(write_phantoms(folder, count=COUNT, seed=3))[-1] == COUNT
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


class Launcher:
    """`casekin up` or `casekin demo` in a process of its own, and what it said."""

    def __init__(self, out: Path, *arguments: str | Path) -> None:
        self._out = out
        with out.open("w") as sink:
            command = [CASEKIN, *map(str, arguments), "--port", "0"]
            self.process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)

    @property
    def said(self) -> str:
        return self._out.read_text()

    def ready(self) -> "Launcher":
        until(lambda: "casekin is ready" in self.said or self.process.poll() is not None, within_s=240)
        assert self.process.poll() is None, self.said
        return self

    def ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def first_demo(collection: Path, data: Path, tiny_bundle: Path) -> str:
    demo = Launcher(
        data / "first.txt", "demo", collection, "--data", data, "--bundle", tiny_bundle, "--exit-when-ready"
    )
    assert demo.process.wait(300) == 0, demo.said
    return demo.said


@pytest.fixture(scope="module")
def up(first_demo: str, data: Path, tiny_bundle: Path) -> Iterator[Launcher]:
    """`casekin up` on what the demo left."""
    launcher = Launcher(data / "up.txt", "up", "--data", data, "--bundle", tiny_bundle).ready()
    yield launcher
    if launcher.process.poll() is None:
        launcher.ctrl_c()


def found(data: Path) -> Running:
    state = running(data)
    assert state is not None
    return state


def test_demo__ingests_fits_the_map_and_leaves_nothing_running(first_demo: str, data: Path) -> None:
    assert f"{COUNT} ingested, 0 replaced, 0 unchanged, 0 skipped" in first_demo
    assert f"map of {COUNT} cases in" in first_demo
    assert "casekin is ready: http://127.0.0.1:" in first_demo
    assert running(data) is None
    assert processes_of(data) == {}


def test_demo__again_takes_what_is_there_and_one_ctrl_c_stops_all(
    first_demo: str, collection: Path, data: Path, tiny_bundle: Path
) -> None:
    demo = Launcher(data / "second.txt", "demo", collection, "--data", data, "--bundle", tiny_bundle).ready()
    assert f"{COUNT} cases are there already" in demo.said
    assert f"the map of {COUNT} cases is there already" in demo.said
    assert "ingested" not in demo.said
    assert demo.ctrl_c() == 0
    until(lambda: not processes_of(data), within_s=5)
    assert running(data) is None


def test_up__all_answer(up: Launcher, data: Path) -> None:
    state = found(data)
    assert state.pid == up.process.pid
    assert set(state.urls) == {"encoder", "search", "projector", "ui"}
    for url in state.urls.values():
        with ServiceClient(url) as client:
            assert client.is_ready()
    with EncoderClient(state.url("encoder")) as encoder, SearchClient(state.url("search")) as search:
        assert search.collection().bundle_version == encoder.model().manifest.version
        assert search.collection().cases == COUNT
    with ProjectorClient(state.url("projector")) as projector:
        assert len(projector.current_map().cases) == COUNT
    logs = {file.name for file in (data / "logs").glob("*.log")}
    parts = ("redis", "encoder", "search", "projector", "worker-interactive", "worker-maps", "worker-bulk", "ui")
    assert logs == {f"{part}.log" for part in parts}


def test_up__who_neither_draws_maps_nor_searches_latents_does_not_wait_for_scipy(up: Launcher, data: Path) -> None:
    lines = processes_of(data)
    light = [pid for pid, line in lines.items() if line.endswith("-m services.projector") or "bulk" in line]
    assert len(light) >= 2
    for pid in light:
        assert "/scipy/" not in Path(f"/proc/{pid}/maps").read_text(), lines[pid]


def test_ingest__finds_the_services_by_their_data_folder(up: Launcher, collection: Path, data: Path) -> None:
    command = [CASEKIN, "ingest", str(collection), "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"0 ingested, 0 replaced, {COUNT} unchanged, 0 skipped" in done.stdout


def test_up__a_crashed_service_comes_back_where_it_was(up: Launcher, data: Path) -> None:
    [pid] = [pid for pid, line in processes_of(data).items() if line.endswith("-m services.search")]
    os.kill(pid, signal.SIGKILL)
    until(lambda: "search             crashed   was ended by signal 9" in up.said)
    with SearchClient(found(data).url("search"), attempts=1) as search:
        until(search.is_ready)
        assert search.collection().cases == COUNT


def test_up__kill_9_of_the_launcher_leaves_no_orphan(up: Launcher, data: Path) -> None:
    assert len(processes_of(data)) >= 7
    up.process.kill()
    up.process.wait()
    until(lambda: not processes_of(data), within_s=30)


def test_up__a_taken_port_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        command = [CASEKIN, "up", "--data", str(tmp_path), "--bundle", str(tiny_bundle), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr


def test_up__a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = [CASEKIN, "up", "--data", str(tmp_path / "data"), "--bundle", str(tmp_path / "no-bundle"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "refuses to start" in done.stdout
    assert "no-bundle" in done.stdout
    assert processes_of(tmp_path / "data") == {}
