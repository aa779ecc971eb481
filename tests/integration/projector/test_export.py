"""The collection as a table, through a real worker and the command."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.export import Export, ExportResult
from casekin.errors import Unavailable
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map
from tests.warm_start import CASEKIN, start

pytestmark = pytest.mark.timeout(300)  # a maps worker compiles on a fresh machine


@pytest.fixture(scope="module")
def station(make_station: Callable[..., Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = make_station(retry_wait_s=0.2)
    with station.worker("maps", tmp_path_factory.mktemp("logs") / "worker.log") as station.process:
        yield station


def test_export__has_each_case_with_its_place_and_latent(
    station: Station, client: ProjectorClient, tmp_path: Path
) -> None:
    fitted, held = leave_map(station), station.collection
    where = ["--projector-url", str(client._http.base_url)]
    file = tmp_path / "all.parquet"
    command = start(CASEKIN, "export", file, *where)
    out, err = command.communicate(timeout=120)
    assert (command.returncode, out) == (0, f"60 cases in {file}\n"), err
    table = pq.read_table(file)
    columns = table.to_pydict()
    assert columns["id"] == [case.id for case in held.cases]
    assert columns["diagnosis"] == [case.diagnosis for case in held.cases]
    assert columns["digest"] == [held.digest(case.id) for case in held.cases]
    assert set(columns["bundle"]) == {"tiny-1"}
    np.testing.assert_array_equal(np.array(columns["latent"], np.float32), held.latents.astype(np.float32))
    assert (columns["map_x"], columns["map_y"]) == (fitted.x, fitted.y)
    assert b"Small" in table.schema.metadata[b"casekin.collection"]
    again = start(CASEKIN, "export", file, *where)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 1
    assert "File exists; name another file" in err


def test_maps_worker__yields_the_processor_to_clicks(station: Station, client: ProjectorClient) -> None:
    client.wait(client.submit(Export()), ExportResult, timeout_s=60)
    (child,) = station.children()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, child) == min(own + 10, 19)


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
    assert (result.cases, result.revision, kind) == (61, "61-1", "application/vnd.apache.parquet")
    assert result.size == len(content)
    last = pq.read_table(io.BytesIO(content)).to_pylist()[-1]
    assert (last["map_x"], last["map_y"], last["sex"], last["attributes"]) == (None, None, None, [])


def test_export__leaves_nothing_where_search_stays_away(station: Station, client: ProjectorClient) -> None:
    station.collection.away = True
    station.collection.edition += 1
    try:
        with pytest.raises(Unavailable, match="latents are away"):
            client.wait(client.submit(Export()), ExportResult, timeout_s=60)
    finally:
        station.collection.away = False
    assert not list((station.settings.folder / "results").glob("*.part"))
