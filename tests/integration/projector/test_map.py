"""One real UMAP fit through a real maps worker, watched, cancelled, repeated."""

import re
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.projector import CaseMap, JobState, MapFit, MapPlace, Placement
from casekin.errors import BadInput, Conflict
from tests.integration.projector.conftest import Station
from tests.integration.projector.small_search import clusters

pytestmark = pytest.mark.timeout(300)  # numba compiles on a fresh machine


@pytest.fixture(scope="module")
def station(make_station: Callable[..., Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = make_station(lease_s=3)
    logs = tmp_path_factory.mktemp("logs")
    with station.worker("maps", logs / "maps.log"), station.worker("interactive", logs / "interactive.log"):
        yield station


@pytest.fixture(scope="module")
def client(station: Station) -> Iterator[ProjectorClient]:
    with station.api() as client:
        yield client


def test_fit__keeps_clusters_apart_becomes_the_current_map_and_repeats(
    station: Station, client: ProjectorClient
) -> None:
    fitted = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    assert fitted.cases == [case.id for case in station.collection.cases]
    assert fitted.diagnoses[:2] == ["mel", "nv"]
    assert (fitted.bundle_version, fitted.revision, fitted.preset) == ("tiny-1", "60-1", "clinical")
    assert client.current_map() == fitted
    assert _separation(fitted) > 3
    (station.settings.folder / "results" / f"{fitted.id}.json").unlink()
    again = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    assert (again.x, again.y) == (fitted.x, fitted.y)


def test_fit__asked_again_after_another_becomes_current_without_work(client: ProjectorClient) -> None:
    clinical = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    visual = client.wait(client.submit(MapFit(preset="visual")), CaseMap, timeout_s=60)
    assert client.current_map() == visual
    assert (visual.x, visual.y) != (clinical.x, clinical.y)
    assert client.submit(MapFit()).state is JobState.SUCCEEDED
    assert client.current_map() == clinical


def test_place__on_a_real_map_finds_its_cluster(station: Station, client: ProjectorClient) -> None:
    fitted = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    for row in (5, 25, 45):
        query = MapPlace(bundle_version="tiny-1", latent=(station.collection.latents[row] + 0.05).tolist())
        placed = client.wait(client.submit(query), Placement, timeout_s=20)
        centres = [_centre(fitted, part) for part in range(3)]
        nearest = np.argmin([np.hypot(*(np.array([placed.x, placed.y]) - centre)) for centre in centres])
        assert nearest == row * 3 // 60


def test_fit__shows_epochs_and_stops_when_cancelled_while_the_old_map_stays(
    station: Station, client: ProjectorClient
) -> None:
    before = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    with _collection(station, clusters(1500)):
        job = client.submit(MapFit())
        seen = _watch(client, job.id, until=r"epoch [1-9]")
        assert any("latents read" in message or "neighbours of" in message for message, _ in seen)
        assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
        assert client.job(job.id).progress.remaining_s is not None
        assert client.cancel(job.id).state is JobState.CANCELLED
        with pytest.raises(Conflict, match="cancelled"):
            client.result(job.id, CaseMap)
        assert client.current_map() == before
    began = time.monotonic()
    client.wait(client.submit(MapFit(seed=8)), CaseMap, timeout_s=60)
    assert time.monotonic() - began < 20, "the worker is free again, and still warm"


@pytest.mark.parametrize("cases", [5, 7])
def test_fit__of_few_cases_takes_fewer_neighbours(station: Station, client: ProjectorClient, cases: int) -> None:
    with _collection(station, clusters(60)[:cases]):
        fitted = client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)
    assert len(fitted.x) == cases


def test_fit__of_too_few_cases_is_refused(station: Station, client: ProjectorClient) -> None:
    with _collection(station, clusters(60)[:0]), pytest.raises(Conflict, match="the collection is empty"):
        client.submit(MapFit())
    with _collection(station, clusters(60)[:4]), pytest.raises(BadInput, match=r"4 cases.*at least 5"):
        client.submit(MapFit())


def test_fit__of_a_collection_of_another_bundle_than_the_encoders(station: Station, client: ProjectorClient) -> None:
    with _collection(station, clusters(60), version="next-1"), pytest.raises(Conflict, match=r"next-1.*tiny-1"):
        client.wait(client.submit(MapFit()), CaseMap, timeout_s=60)


class _collection:  # noqa: N801
    """Another collection for the time of a ``with``."""

    def __init__(self, station: Station, latents, *, version: str = "tiny-1") -> None:
        self.held, self.changed = station.collection, (latents, version)

    def __enter__(self) -> None:
        self.before = (self.held.latents, self.held.version)
        self.held.latents, self.held.version = self.changed

    def __exit__(self, *_) -> None:
        self.held.latents, self.held.version = self.before


def _centre(fitted: CaseMap, part: int) -> np.ndarray:
    return np.column_stack([fitted.x, fitted.y])[part * 20 : part * 20 + 20].mean(0)


def _separation(fitted: CaseMap) -> float:
    """Smallest distance between cluster centres over the largest spread within one."""
    xy = np.column_stack([fitted.x, fitted.y]).reshape(3, 20, 2)
    centres = xy.mean(1)
    between = min(np.hypot(*(centres[a] - centres[b])) for a, b in ((0, 1), (0, 2), (1, 2)))
    return float(between / max(np.hypot(*(xy[c] - centres[c]).T).mean() for c in range(3)))


def _watch(client: ProjectorClient, job_id: str, *, until: str) -> list[tuple[str, float]]:
    seen: list[tuple[str, float]] = []
    deadline = time.monotonic() + 60
    while not (seen and re.match(until, seen[-1][0])):
        job = client.job(job_id)
        assert not job.state.final, f"{job.state} before {until} was seen: {seen[-3:]}"
        if job.state is JobState.RUNNING:
            seen.append((job.progress.message, job.progress.fraction))
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return seen
