"""Encoder and search as processes of their own, and collections to bring in."""

import csv
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.clients import EncoderClient, SearchClient
from casekin.clients.http import ServiceClient
from casekin.launcher.ports import free_port
from tests.warm_start import CASEKIN, Started, start


@dataclass
class Running:
    """The services of one test and how to reach them."""

    bundle: Path
    data: Path
    urls: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Started] = field(default_factory=dict)

    def start(self, name: str, client: type[ServiceClient]) -> None:
        """Start a service, on its former port if it ran before, and wait until it is ready."""
        url = self.urls.setdefault(name, f"http://127.0.0.1:{free_port()}")
        environment = {**os.environ, "CASEKIN_PORT": url.rpartition(":")[2]}
        environment |= {"CASEKIN_BUNDLE": str(self.bundle), "CASEKIN_DATA": str(self.data)}
        with (self.data / f"{name}.log").open("ab") as log:
            self.processes[name] = start(f"services.{name}", env=environment, output=log)
        deadline = time.monotonic() + 170
        with client(url) as probe:
            while not probe.is_ready():
                if self.processes[name].poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{name} did not start: {(self.data / f'{name}.log').read_text()[-2000:]}")
                time.sleep(0.05)

    def stop(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait(10)

    @property
    def search(self) -> SearchClient:
        return SearchClient(self.urls["search"])

    def ingest(self, folder: Path, *options: str) -> Started:
        """`casekin ingest` as its users run it."""
        services = [f"--{name}-url={self.urls[name]}" for name in ("encoder", "search")]
        return start(CASEKIN, "ingest", folder, "--data", self.data, *services, *options)

    def report(self) -> list[dict[str, str]]:
        """Lines of the last run's report."""
        with (self.data / "ingest-report.csv").open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


@contextmanager
def stopped_at_the_end(running: Running) -> Iterator[Running]:
    try:
        yield running
    finally:
        for process in running.processes.values():
            process.terminate()
        for process in running.processes.values():
            process.wait(15)


@pytest.fixture(scope="session")
def encoder_url(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One encoder for all tests: it keeps nothing."""
    with stopped_at_the_end(Running(tiny_bundle, tmp_path_factory.mktemp("encoder"))) as running:
        running.start("encoder", EncoderClient)
        yield running.urls["encoder"]


@pytest.fixture
def running(tiny_bundle: Path, encoder_url: str, tmp_path: Path) -> Iterator[Running]:
    """An empty collection."""
    (tmp_path / "data").mkdir()
    with stopped_at_the_end(Running(tiny_bundle, tmp_path / "data", {"encoder": encoder_url})) as running:
        running.start("search", SearchClient)
        yield running


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = (96, 72)) -> bytes:
    pixels = np.random.default_rng(seed).integers(40, 220, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def make_collection(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Writes images by file name with a table in HAM10000's columns, one lesion to two images."""

    def make(images: dict[str, bytes]) -> Path:
        folder = tmp_path / "collection"
        folder.mkdir()
        with (folder / "HAM10000_metadata.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
            for number, (name, data) in enumerate(images.items()):
                (folder / name).write_bytes(data)
                diagnosis = ("nv", "mel")[number % 2]
                writer.writerow([f"L{number // 2}", Path(name).stem, diagnosis, "histo", 40, "male", "back"])
        return folder

    return make
