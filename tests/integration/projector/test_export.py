"""The collection as a table, through a real worker and the command."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.export import Export, ExportResult
from casekin.errors import Unavailable
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map

pytestmark = pytest.mark.timeout(300)  # a maps worker compiles on a fresh machine
CASEKIN = Path(sys.executable).with_name("casekin")


@pytest.fixture(scope="module")
def station(make_station: Callable[..., Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = make_station(retry_wait_s=0.2)
    with station.worker("maps", tmp_path_factory.mktemp("logs") / "worker.log") as station.process:
        yield station


@pytest.fixture(scope="module")
def client(station: Station) -> Iterator[ProjectorClient]:
    with station.api() as client:
        yield client


def test_export__has_each_case_with_its_place_and_latent(
    station: Station, client: ProjectorClient, tmp_path: Path
) -> None:
    fitted, held = leave_map(station), station.collection
    where = ["--projector-url", str(client._http.base_url)]
    done = subprocess.run(
        [CASEKIN, "export", tmp_path / "all.csv", *where], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"60 cases in {tmp_path / 'all.csv'}\n"), done.stderr
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == [case.id for case in held.cases]
    assert [line["diagnosis"] for line in lines] == [case.diagnosis for case in held.cases]
    latents = [[float(line[f"latent_{index + 1}"]) for index in range(4)] for line in lines]
    np.testing.assert_array_equal(latents, held.latents)
    assert [(float(line["map_x"]), float(line["map_y"])) for line in lines] == list(
        zip(fitted.x, fitted.y, strict=True)
    )
    again = subprocess.run(
        [CASEKIN, "export", tmp_path / "all.csv", *where], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "File exists; name another file" in again.stderr


def test_maps_worker__yields_the_processor_to_clicks(station: Station, client: ProjectorClient) -> None:
    client.wait(client.submit(Export()), ExportResult, timeout_s=20)
    assert station.process is not None
    pid = station.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, int(child)) == min(own + 10, 19)


def test_export__knows_no_place_of_cases_that_came_after_the_map(station: Station, client: ProjectorClient) -> None:
    leave_map(station)
    held = station.collection
    before, held.latents = held.latents, np.concatenate([held.latents, held.latents[:1] + 1])
    try:
        job = client.submit(Export())
        result = client.wait(job, ExportResult, timeout_s=30)
        content, kind = client.file(job.id)
    finally:
        held.latents = before
    assert (result.cases, result.revision, kind.partition(";")[0]) == (61, "61-1", "text/csv")
    assert result.size == len(content)
    last = list(csv.DictReader(content.decode().splitlines()))[-1]
    assert (last["map_x"], last["map_y"], last["sex"]) == ("", "", "")


def test_export__leaves_nothing_where_search_stays_away(station: Station, client: ProjectorClient) -> None:
    station.collection.away = True
    station.collection.edition += 1
    try:
        with pytest.raises(Unavailable, match="latents are away"):
            client.wait(client.submit(Export()), ExportResult, timeout_s=60)
    finally:
        station.collection.away = False
    assert not list((station.settings.folder / "results").glob("*.part"))
