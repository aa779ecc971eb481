"""A case that was deleted from the collection is nowhere in the projector's files."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.maps import MapPlace, Placement
from casekin.contracts.projector import PurgeResult
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.errors import BadInput, Conflict, Gone, NotFound
from tests.file_search import files_with
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map

GONE = "C00059"


@pytest.fixture
def station(make_station: Callable[..., Station], tmp_path: Path) -> Iterator[Station]:
    station = make_station(reconcile_s=0.2, audit_file=tmp_path / "audit.jsonl")
    with station.worker("interactive", tmp_path / "worker.log"):
        before = station.collection.latents
        yield station
        station.collection.latents = before


def _work(station: Station, client: ProjectorClient) -> list[str]:
    """Jobs after which latents, map and results all have the case."""
    latent = (station.collection.latents[59] + 0.01).tolist()
    place = client.submit(MapPlace(bundle_version="tiny-1", latent=latent))
    assert GONE in client.wait(place, Placement, timeout_s=60).neighbours
    rollout = client.submit(Rollout(bundle_version="tiny-1", case=GONE, steps=3))
    client.wait(rollout, RolloutResult, timeout_s=60)
    near = client.submit(Rollout(bundle_version="tiny-1", latent=latent, steps=3))
    nearest = client.wait(near, RolloutResult, timeout_s=60).here.nearest
    assert nearest is not None
    assert nearest.id == GONE, "the rollout of a query names it too"
    return [place.id, rollout.id, near.id]


def _delete(station: Station) -> None:
    station.collection.latents = station.collection.latents[:-1]
    station.collection.edition += 1


def test_purge__leaves_no_file_with_the_case_and_no_result_of_it(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station(reconcile_s=900, audit_file=tmp_path / "audit.jsonl")
    held, before = station.collection, station.collection.latents
    with station.worker("interactive", tmp_path / "worker.log"), station.api() as client:
        leave_map(station, number=2)
        leave_map(station, number=1)
        jobs = _work(station, client)
        with pytest.raises(Conflict, match=f"case {GONE} is in the collection; delete it there first"):
            client.purge([GONE])
        assert files_with(station.settings.folder, GONE.encode())
        _delete(station)
        try:
            assert client.purge([GONE], user="dr.lee") == PurgeResult(cases=1, latents=1, maps=2, results=3)
            assert files_with(station.settings.folder, GONE.encode()) == []
            for job in jobs:
                with pytest.raises(Gone, match="only until it is deleted"):
                    client.result(job, RolloutResult)
            fitted = client.current_map()
            assert (len(fitted.cases), len(fitted.x), fitted.version.cases, fitted.version.fitted) == (59,) * 4
            latent = (held.latents[58] + 0.01).tolist()
            placed = client.wait(
                client.submit(MapPlace(bundle_version="tiny-1", latent=latent)), Placement, timeout_s=60
            )
            assert placed.neighbours[0] == "C00058"
            assert GONE not in placed.neighbours
            with pytest.raises(NotFound, match=f"no case {GONE}"):
                client.submit(Rollout(bundle_version="tiny-1", case=GONE))
            assert client.purge([GONE]) == PurgeResult(cases=1, latents=0, maps=0, results=1), "it can be repeated"
        finally:
            held.latents = before
    assert '"dr.lee"' in (tmp_path / "audit.jsonl").read_text()


def test_deletion__of_which_nobody_told_is_found(station: Station) -> None:
    with station.api() as client:
        leave_map(station)
        _work(station, client)
        _delete(station)
        deadline = time.monotonic() + 10
        while files_with(station.settings.folder, GONE.encode()):
            assert time.monotonic() < deadline, files_with(station.settings.folder, GONE.encode())
            time.sleep(0.05)
        assert "C00058" in client.current_map().cases, "what is not deleted stays"


def test_reconciliation__with_an_empty_collection_removes_nothing(station: Station) -> None:
    with station.api() as client:
        leave_map(station)
        station.collection.latents = station.collection.latents[:0]
        time.sleep(1)
        assert len(client.current_map().cases) == 60


@pytest.mark.parametrize("ids", [[], [""], ["a\0b"], ["C1"] * 4097])
def test_purge__of_what_are_no_ids_is_refused(make_station: Callable[..., Station], ids: list[str]) -> None:
    with make_station().api() as client, pytest.raises(BadInput, match="ids"):
        client._call("POST", "/v1/cases/purge", json={"ids": ids})
