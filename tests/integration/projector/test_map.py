"""One real UMAP fit through a real maps worker, watched, cancelled, repeated."""

import re
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from casekin.clients import ProjectorClient
from casekin.contracts.maps import CaseMap, MapFit, MapPlace, MapVersion, Placement
from casekin.contracts.projector import JobState
from casekin.errors import BadInput, Conflict, NotFound
from tests.integration.projector.conftest import Station
from tests.integration.projector.small_search import clusters
from tests.warm_start import CASEKIN, start

pytestmark = pytest.mark.timeout(300)  # numba compiles on a fresh machine


@pytest.fixture(scope="module")
def station(make_station: Callable[..., Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = make_station(lease_s=3)
    logs = tmp_path_factory.mktemp("logs")
    with (
        station.worker("maps", logs / "maps.log") as station.process,
        station.worker("interactive", logs / "interactive.log"),
    ):
        yield station


def test_fit__keeps_clusters_apart_becomes_the_current_map_and_repeats(
    station: Station, client: ProjectorClient
) -> None:
    fitted = _fit(client)
    version = fitted.version
    assert fitted.cases == [case.id for case in station.collection.cases]
    assert fitted.diagnoses[:2] == ["mel", "nv"]
    assert (version.bundle_version, version.revision, version.recipe.preset) == ("tiny-1", "60-1", "clinical")
    assert (version.recipe.start, version.weights, version.fitted) == ("pca", [0.5, 1.0, 1.0, 1.5], 60)
    assert client.current_map() == fitted
    assert _separation(fitted) > 3
    assert version.quality.trustworthiness > 0.9
    assert version.quality.continuity > 0.9
    _forget(station, version.id)
    again = _fit(client)
    assert (again.x, again.y) == (fitted.x, fitted.y)


def test_fit__asked_again_after_another_becomes_current_without_work(station: Station, client: ProjectorClient) -> None:
    clinical = _fit(client)
    visual = _fit(client, MapFit(preset="visual"))
    assert client.current_map() == visual
    assert (visual.x, visual.y) != (clinical.x, clinical.y)
    assert client.submit(MapFit()).state is JobState.SUCCEEDED
    assert client.current_map() == clinical
    (station.settings.folder / "results" / f"{clinical.version.id}.json").unlink()
    assert client.submit(MapFit()).state is JobState.SUCCEEDED, "the map is kept longer than the job's result"
    assert client.result(clinical.version.id, MapVersion) == clinical.version


def test_maps__are_kept_and_one_can_be_made_current_again(client: ProjectorClient) -> None:
    clinical, visual = _fit(client), _fit(client, MapFit(preset="visual"))
    kept = client.maps()
    assert kept.current == visual.version.id
    assert clinical.version in kept.maps
    assert visual.version in kept.maps
    assert client.make_current(clinical.version.id) == clinical.version
    assert client.current_map() == clinical
    assert client.map(visual.version.id) == visual
    with pytest.raises(NotFound, match="GET /v1/maps"):
        client.make_current("0" * 32)


def test_fit__after_new_cases_starts_from_the_old_map_and_keeps_its_bearings(
    station: Station, client: ProjectorClient
) -> None:
    old = _fit(client)
    more = np.vstack([station.collection.latents, clusters(60, seed=3)[::4] + 0.1])
    with _collection(station, more):
        new, plain = _fit(client), _fit(client, MapFit(start="pca"))
        assert _fit(client).version.id == new.version.id
    assert new.version.recipe.start == old.version.id
    assert plain.version.recipe.start == "pca"
    assert plain.version.quality.moved is None
    assert new.version.quality.moved == pytest.approx(_moved(old, new), abs=1e-3)
    assert _moved(old, new) < min(0.1, _moved(old, plain))
    with pytest.raises(NotFound, match="GET /v1/maps"):
        client.submit(MapFit(start="f" * 32))


def test_fit__that_is_supervised_draws_diagnoses_together(client: ProjectorClient) -> None:
    plain, drawn = _fit(client), _fit(client, MapFit(supervised=True))
    assert drawn.version.id != plain.version.id

    def agreement(fitted: CaseMap) -> float:
        return float(np.mean([one.on_map for one in fitted.version.quality.agreement]))

    assert agreement(drawn) > agreement(plain) + 0.1


def test_map_command__draws_what_was_asked_for_and_says_how_good_it_is(client: ProjectorClient) -> None:
    options = ["--visual", "--supervised", "--afresh", "--projector-url", str(client._http.base_url)]
    command = start(CASEKIN, "map", *options)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    version = client.current_map().version
    assert version.recipe == MapFit(preset="visual", supervised=True, start="pca")
    quality = version.quality
    told = f"trustworthiness {quality.trustworthiness:.3f}, continuity {quality.continuity:.3f}"
    assert out == f"map of 60 cases: {told}\n"


def test_place__on_a_real_map_finds_its_cluster(station: Station, client: ProjectorClient) -> None:
    fitted = _fit(client)
    for row in (5, 25, 45):
        query = MapPlace(bundle_version="tiny-1", latent=(station.collection.latents[row] + 0.05).tolist())
        placed = client.wait(client.submit(query), Placement, timeout_s=60)
        centres = [_centre(fitted, part) for part in range(3)]
        nearest = np.argmin([np.hypot(*(np.array([placed.x, placed.y]) - centre)) for centre in centres])
        assert nearest == row * 3 // 60


def test_fit__shows_epochs_and_stops_when_cancelled_while_the_old_map_stays(
    station: Station, client: ProjectorClient
) -> None:
    before, warm = _fit(client), station.children()
    with _collection(station, clusters(1500)):
        job = client.submit(MapFit())
        seen = _watch(client, job.id, until=r"epoch [1-9]")
        assert any("latents read" in message or "neighbours of" in message for message, _ in seen)
        assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
        assert client.job(job.id).progress.remaining_s is not None
        assert client.cancel(job.id).state is JobState.CANCELLED
        with pytest.raises(Conflict, match="cancelled"):
            client.result(job.id, MapVersion)
        assert client.current_map() == before
    _fit(client, MapFit(seed=8))
    assert station.children() == warm, "the worker is free again, and has compiled all that a fit needs"


@pytest.mark.parametrize("cases", [5, 7])
def test_fit__of_few_cases_takes_fewer_neighbours(station: Station, client: ProjectorClient, cases: int) -> None:
    with _collection(station, clusters(60)[:cases]):
        fitted = _fit(client)
    assert len(fitted.x) == cases


def test_fit__of_too_few_cases_is_refused(station: Station, client: ProjectorClient) -> None:
    with _collection(station, clusters(60)[:0]), pytest.raises(Conflict, match="the collection is empty"):
        client.submit(MapFit())
    with _collection(station, clusters(60)[:4]), pytest.raises(BadInput, match=r"4 cases.*at least 5"):
        client.submit(MapFit())


def test_fit__of_a_collection_of_another_bundle_than_the_encoders(station: Station, client: ProjectorClient) -> None:
    with _collection(station, clusters(60), version="next-1"), pytest.raises(Conflict, match=r"next-1.*tiny-1"):
        _fit(client)


def _fit(client: ProjectorClient, payload: MapFit | None = None) -> CaseMap:
    return client.map(client.wait(client.submit(payload or MapFit()), MapVersion, timeout_s=60).id)


def _forget(station: Station, job_id: str) -> None:
    """As if it had never been fitted."""
    for file in station.settings.folder.rglob(f"{job_id}.*"):
        file.unlink()


def _moved(old: CaseMap, new: CaseMap) -> float:
    """Median move of the cases of `old`, as a share of the width of `new`."""
    before, after = (np.column_stack([one.x, one.y]) for one in (old, new))
    moves = np.hypot(*(after[: len(before)] - before).T)
    return float(np.median(moves) / np.ptp(after, axis=0).max())


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
