"""Bulk ingest as jobs: real workers, encoder and search, and pictures in a folder or in object storage."""

import csv
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from casekin.clients import ProjectorClient, SearchClient
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.projector import Job, JobState
from casekin.errors import BadInput
from casekin.launcher.ports import free_port
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.integration.projector.conftest import Station
from tests.serving import serving
from tests.warm_start import CASEKIN, start

CASES, FEW, BROKEN = 150, 12, 3


@dataclass
class Yard:
    """A station whose search is the real one, and empty."""

    station: Station
    search: SearchClient
    log: Path


@pytest.fixture
def yard(make_station: Callable[..., Station], tiny_bundle: Path, tmp_path: Path) -> Iterator[Yard]:
    write_collection(tmp_path / "collections" / "clinic")
    with yard_over(str(tmp_path / "collections"), make_station, tiny_bundle, tmp_path) as yard:
        yield yard


@contextmanager
def yard_over(
    collections: str, make_station: Callable[..., Station], tiny_bundle: Path, folder: Path
) -> Iterator[Yard]:
    """Workers of the yard find collections there."""
    searching = create_search(SearchSettings(bundle=tiny_bundle, data=folder / "search"))
    with serving(searching) as url, SearchClient(url) as search:
        station = make_station(
            search_url=url, collections=collections, ingest_rate=60, lease_s=2, sweep_s=0.3, retry_wait_s=0.3
        )
        yield Yard(station, search, folder / "worker.log")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedMotoServer]:
    """A server that speaks S3 and holds the collection; the environment says where and with which keys."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "ENDPOINT_URL": f"http://{host}:{port}",
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "DEFAULT_REGION": "us-east-1",
        "MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    write_collection(tmp_path / "clinic", FEW)
    there = fsspec.filesystem("s3", skip_instance_cache=True)
    there.mkdir("hospital")
    there.put(str(tmp_path / "clinic"), "hospital/collections/", recursive=True, batch_size=4)
    yield server
    server.stop()


def write_collection(folder: Path, cases: int = CASES) -> None:
    """Pictures with a table; one of them is no picture."""
    folder.mkdir(parents=True)
    rng, lines = np.random.default_rng(1), ["image,diagnosis"]
    for number in range(cases):
        file = folder / f"CASE_{number:03d}.png"
        Image.fromarray(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)).save(file)
        lines.append(f"{file.stem},{'nv' if number % 3 else 'mel'}")
    (folder / f"CASE_{BROKEN:03d}.png").write_bytes(b"no picture")
    (folder / "collection.toml").write_text('title = "Clinic"\n[columns]\nimage = "image"\ndiagnosis = "diagnosis"\n')
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def parts(client: ProjectorClient, count: int) -> list[Job]:
    return [client.submit(IngestPart(folder="clinic", part=part, parts=count)) for part in range(1, count + 1)]


def test_ingest__is_split_over_workers_and_told_line_by_line(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log), yard.station.worker("bulk", yard.log):
        jobs = parts(client, 3)
        results = [client.wait(job, IngestResult, timeout_s=60) for job in jobs]
        assert [one.ingested + one.skipped for one in results] == [50, 50, 50]
        assert [one.skipped_by_code for one in results if one.skipped] == [{"unsupported-image": 1}]
        assert yard.search.collection().cases == CASES - 1
        files = [client.file(job.id) for job in jobs]
        assert {kind.partition(";")[0] for _, kind in files} == {"text/csv"}
        lines = [line for content, _ in files for line in csv.DictReader(io.StringIO(content.decode()))]
        assert sorted(line["id"] for line in lines) == [f"CASE_{number:03d}" for number in range(CASES)]
        again = [client.wait(job, IngestResult, timeout_s=60) for job in parts(client, 3)]
        assert sum(one.unchanged for one in again) == CASES - 1, "asked for again it looks again"


def test_ingest__whose_worker_is_killed_goes_on_where_it_was(yard: Yard) -> None:
    with yard.station.api() as client:
        with yard.station.worker("bulk", yard.log) as worker:
            (job,) = parts(client, 1)
            seen = next(one for one in client.follow(job) if one.progress.fraction > 0)
            assert "of 150 images" in seen.progress.message
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        with yard.station.worker("bulk", yard.log):
            result = client.wait(client.job(job.id), IngestResult, timeout_s=60)
        assert result.ingested + result.unchanged == CASES - 1
        assert yard.search.collection().cases == CASES - 1


def test_ingest__that_is_cancelled_stops_and_can_be_taken_up(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log):
        (job,) = parts(client, 1)
        next(one for one in client.follow(job) if one.progress.fraction > 0)
        assert client.cancel(job.id).state is JobState.CANCELLED
        assert yard.search.collection().cases < CASES - 1
        (job,) = parts(client, 1)
        client.wait(job, IngestResult, timeout_s=60)
        assert yard.search.collection().cases == CASES - 1


@pytest.mark.timeout(400)
def test_ingest__of_a_prefix_of_object_storage_waits_while_the_store_is_away(
    store: ThreadedMotoServer, make_station: Callable[..., Station], tiny_bundle: Path, tmp_path: Path
) -> None:
    with (
        yard_over("s3://hospital/collections", make_station, tiny_bundle, tmp_path) as yard,
        yard.station.api() as client,
        yard.station.worker("bulk", yard.log),
    ):
        first, second = (IngestPart(folder="clinic", part=part, parts=2) for part in (1, 2))
        assert client.wait(client.submit(first), IngestResult, timeout_s=120).ingested == FEW / 2
        store.stop()
        job = client.submit(second)
        waiting = next(one for one in client.follow(job) if "the store of s3://hospital" in one.progress.message)
        assert waiting.state is JobState.QUEUED
        store.start()
        result = client.wait(client.job(job.id), IngestResult, timeout_s=120)
        assert (result.ingested, result.skipped_by_code) == (FEW / 2 - 1, {"unsupported-image": 1})
        assert yard.search.collection().cases == FEW - 1


def test_ingest__of_no_collection_fails_by_name(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log):
        with pytest.raises(BadInput, match="no folder elsewhere among the collections"):
            client.wait(client.submit(IngestPart(folder="elsewhere")), IngestResult, timeout_s=30)
        refused = client._http.post("/v1/jobs", json={"kind": "ingest", "folder": "../clinic"})
        assert refused.status_code == 422


def test_bulk__follows_the_parts_and_sums_them_up(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log):
        options = ["--parts", "2", "--projector-url", str(client._http.base_url)]
        command = start(CASEKIN, "bulk", "clinic", *options)
        told, _ = command.communicate(timeout=120)
        assert (command.returncode, told) == (
            0,
            "149 ingested, 0 replaced, 0 unchanged, 1 skipped\n  skipped, unsupported-image: 1\n",
        )
        bad = start(CASEKIN, "bulk", "nobody", *options)
        _, told = bad.communicate(timeout=120)
        assert bad.returncode == 1
        assert "there is no folder nobody" in told
