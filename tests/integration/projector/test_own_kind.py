"""A new kind of job is one handler and one line of registration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.projector import JobState
from casekin.errors import BadInput
from services.projector.app import create_app
from services.projector.tasks.registry import HANDLERS
from tests.integration.projector.conftest import Station
from tests.integration.projector.own_kind import CaseCount, CountCases, CountHandler
from tests.serving import serving


def test_kind__of_ones_own_runs_end_to_end(make_station: Callable[..., Station], tmp_path: Path) -> None:
    station = make_station()
    with (
        serving(create_app(station.settings, (*HANDLERS, CountHandler()))) as url,
        ProjectorClient(url, attempts=1) as client,
        station.worker("interactive", tmp_path / "worker.log", module="tests.integration.projector.own_kind"),
    ):
        job = client.submit(CountCases(diagnosis="nv"))
        assert client.wait(job, CaseCount, timeout_s=60).cases == 40
        assert client.job(job.id).state is JobState.SUCCEEDED
        assert client.file(job.id) == (b"nv,40\n", "text/csv; charset=utf-8")
        assert client.submit(CountCases(diagnosis="nv")).id == job.id, "named by content"
        with pytest.raises(BadInput, match="60 cases, the limit is 9"):
            client.submit(CountCases(diagnosis="nv", limit=9))
        with pytest.raises(BadInput, match="'count'"):
            client._call("POST", "/v1/jobs", json={"kind": "recount"})
