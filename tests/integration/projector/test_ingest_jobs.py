"""Bulk ingest as jobs: real workers, encoder and search, and a folder of pictures."""

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.clients import ProjectorClient, SearchClient
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.projector import Job, JobState
from casekin.errors import BadInput
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.integration.projector.conftest import Station
from tests.serving import serving

CASES, BROKEN = 150, 3
CASEKIN = Path(sys.executable).with_name("casekin")


@dataclass
class Yard:
    """A station whose search is the real one, and empty."""

    station: Station
    search: SearchClient
    log: Path


@pytest.fixture
def yard(make_station: Callable[..., Station], tiny_bundle: Path, tmp_path: Path) -> Iterator[Yard]:
    write_collection(tmp_path / "collections" / "clinic")
    searching = create_search(SearchSettings(bundle=tiny_bundle, data=tmp_path / "search"))
    with serving(searching) as url, SearchClient(url) as search:
        station = make_station(
            search_url=url, collections=tmp_path / "collections", ingest_rate=60, lease_s=2, sweep_s=0.3
        )
        yield Yard(station, search, tmp_path / "worker.log")


def write_collection(folder: Path) -> None:
    """Pictures with a table; one of them is no picture."""
    folder.mkdir(parents=True)
    rng, lines = np.random.default_rng(1), ["image,diagnosis"]
    for number in range(CASES):
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


def test_ingest__of_no_collection_fails_by_name(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log):
        with pytest.raises(BadInput, match="no folder elsewhere among the collections"):
            client.wait(client.submit(IngestPart(folder="elsewhere")), IngestResult, timeout_s=30)
        refused = client._http.post("/v1/jobs", json={"kind": "ingest", "folder": "../clinic"})
        assert refused.status_code == 422


def test_bulk__follows_the_parts_and_sums_them_up(yard: Yard) -> None:
    with yard.station.api() as client, yard.station.worker("bulk", yard.log):
        command = [CASEKIN, "bulk", "clinic", "--parts", "2", "--projector-url", str(client._http.base_url)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (
            0,
            "149 ingested, 0 unchanged, 1 skipped\n  skipped, unsupported-image: 1\n",
        )
        bad = subprocess.run([*command[:2], "nobody", *command[3:]], capture_output=True, text=True, check=False)
        assert bad.returncode == 1
        assert "there is no folder nobody" in bad.stderr
