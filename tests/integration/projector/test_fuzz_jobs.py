"""Whatever is submitted is refused at once with the reason, or done: no job is accepted that must fail."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from casekin.clients import ProjectorClient
from casekin.contracts.ingest import IngestPart
from casekin.contracts.maps import MapFit
from casekin.contracts.projector import JobState
from casekin.contracts.reindex import Reindex
from casekin.errors import BadInput, Conflict, NotFound, WrongLatent
from services.projector.tasks.dispatch import JobRunner
from services.projector.tasks.registry import HANDLERS
from services.projector.tasks.worker_process import make_runner
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map

NUMBERS = st.one_of(
    st.floats(-4, 4),
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.sampled_from([1e300, -1e300, 1e6, -1e6, 1e-320, 2**31, 2**32, 2**63, "1", "NaN", None, True, [], {}]),
)
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["", "\0", "\ud800", "C00001", "C00059", "nobody", "x" * 200, "tiny-1"])
)
FIELDS: dict[str, st.SearchStrategy] = {
    "bundle_version": st.one_of(st.just("tiny-1"), st.just("tiny-1"), TEXTS),
    "latent": st.one_of(st.lists(NUMBERS, min_size=4, max_size=4), st.lists(st.floats(-1e6, 1e6), max_size=6), NUMBERS),
    "case": st.one_of(TEXTS, st.sampled_from(["C00007", "C00030"])),
    "to": st.one_of(TEXTS, st.sampled_from(["C00007", "C00030"])),
    "map_id": st.one_of(st.none(), TEXTS, st.just("f" * 32), st.just(f"{1:032x}")),
    "neighbours": st.one_of(st.integers(1, 100), NUMBERS),
    "steps": st.one_of(st.integers(3, 7), NUMBERS),
    "preset": st.sampled_from(["visual", "clinical", "custom", "mine", None]),
    "weights": st.one_of(st.lists(st.one_of(st.floats(0, 1e6), NUMBERS), min_size=3, max_size=5), NUMBERS),
    "own_lesion": st.one_of(st.just("L3"), NUMBERS),
    "frames": st.one_of(st.integers(3, 6), NUMBERS),
    "milliseconds": st.one_of(st.integers(20, 1000), NUMBERS),
    "dimension": st.one_of(st.integers(0, 3), NUMBERS),
    "dimensions": st.one_of(
        st.lists(st.integers(-1, 4), max_size=5), st.tuples(st.integers(0, 3), st.integers(0, 3)), NUMBERS
    ),
}
LATENTS = st.lists(st.floats(-1000, 1000), min_size=4, max_size=4)
VALID: dict[str, dict[str, st.SearchStrategy]] = {
    "map.place": {"latent": LATENTS, "neighbours": st.integers(1, 100)},
    "rollout": {"latent": LATENTS, "dimensions": st.lists(st.integers(0, 3), min_size=1), "steps": st.integers(3, 5)},
    "rollout.joint": {
        "latent": LATENTS,
        "dimensions": st.just([3, 1]),
        "steps": st.just(3),
        "preset": st.just("custom"),
        "weights": st.lists(st.floats(0, 1e6), min_size=4, max_size=4),
        "own_lesion": st.just("L3"),
    },
    "rollout.animation": {"latent": LATENTS, "dimension": st.integers(0, 3), "frames": st.integers(3, 5)},
    "trajectory": {"case": st.just("C00003"), "to": st.just("C00030"), "steps": st.integers(3, 5)},
    "export": {},
}
BY_NAME = {handler.name: handler for handler in HANDLERS}


@st.composite
def payloads(draw: st.DrawFn) -> dict:
    """Of every kind whose work takes milliseconds: what is right, with up to two fields of it replaced or added."""
    kind = draw(st.sampled_from(sorted(VALID)))
    valid = VALID[kind] | ({} if kind == "export" else {"bundle_version": st.just("tiny-1")})
    odd = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2))
    return {"kind": kind} | draw(st.fixed_dictionaries(valid | {name: FIELDS[name] for name in odd}))


@dataclass
class Bench:
    http: httpx.Client
    runner: JobRunner
    station: Station
    done: int = 0


@pytest.fixture(scope="module")
def bench(make_station: Callable[..., Station]) -> Iterator[Bench]:
    station = make_station()
    leave_map(station)
    with station.api() as client:
        yield Bench(client._http, make_runner(station.settings), station)


def _submit(bench: Bench, payload: dict) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return bench.http.post("/v1/jobs", content=json.dumps(payload).encode(), headers=headers)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(payloads())
@example({"kind": "rollout", "bundle_version": "tiny-1", "latent": [1e300, 0, 0, 0]})
@example({"kind": "rollout", "bundle_version": "tiny-1", "latent": [1e6, -1e6, 1e6, -1e6], "steps": 3})
@example({"kind": "rollout", "bundle_version": "tiny-1", "latent": [1e3, -1e3, 1e3, -1e3], "steps": 3})
@example({"kind": "map.place", "bundle_version": "tiny-1", "latent": [1e6, -1e6, 1e6, -1e6]})
@example({"kind": "map.place", "bundle_version": "tiny-1", "latent": [0.0] * 7})
@example({"kind": "map.place", "bundle_version": "tiny-1", "latent": [0.0] * 4, "neighbours": 1})
@example({"kind": "rollout", "bundle_version": "tiny-1", "case": "C00007", "steps": 3})
@example({"kind": "rollout", "bundle_version": "tiny-1", "case": "nobody"})
@example({"kind": "trajectory", "bundle_version": "tiny-1", "latent": [1e6, 0, 0, 0], "to": "C00007", "steps": 3})
@example({"kind": "rollout.animation", "bundle_version": "tiny-1", "latent": [0, 0, 0, 0], "dimension": 2, "frames": 3})
@example({"kind": "export"})
def test_job__is_refused_at_once_or_done(bench: Bench, payload: dict) -> None:
    response = _submit(bench, payload)
    if response.status_code in (404, 409, 422):
        assert response.json()["detail"]
        return
    assert response.status_code in (200, 202), response.text
    job = response.json()
    bench.runner.run(BY_NAME[job["kind"]], job["id"], f"{job['id']}/1")
    ended = bench.runner.store.job(job["id"])
    assert ended.state is JobState.SUCCEEDED, (payload, ended.problem)
    json.loads(bench.runner.results.read(job["id"]), parse_constant=lambda name: pytest.fail(f"{name} in {payload}"))
    bench.done += 1


def test_fuzzing__does_work_and_not_only_refuse(bench: Bench) -> None:
    assert bench.done >= 30


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_fit__with_a_seed_that_no_generator_takes_is_refused(bench: Bench, seed: int) -> None:
    response = _submit(bench, {"kind": "map.fit", "seed": seed})
    assert response.status_code == 422
    assert "seed" in response.json()["detail"]


def test_fit__of_a_collection_of_another_bundle_than_the_encoders_is_refused(
    make_station: Callable[..., Station],
) -> None:
    station = make_station()
    station.collection.version = "next-1"
    try:
        with station.api() as client, pytest.raises(Conflict, match=r"next-1.*tiny-1"):
            client.submit(MapFit())
    finally:
        station.collection.version = "tiny-1"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999999",
        "http://127.0.0.1:0",
        "http://local\0host:80",
        "http://[::1",
        "http://[1:2]:80",
        "http://[::1]x:80",
        "http://localhost:",
        "http://localhost:８０",
        "http://user@localhost",
        "http://localhost\n",
        "localhost:80",
    ],
)
def test_reindex__to_what_is_no_address_is_refused(bench: Bench, url: str) -> None:
    response = _submit(bench, {"kind": "reindex", "encoder_url": url})
    assert response.status_code == 422
    assert "encoder_url" in response.json()["detail"]


def test_reindex__takes_an_address_of_this_machine() -> None:
    for url in ("http://127.0.0.1:8111", "http://[::1]:8111", "http://localhost", "https://encoder-2.clinic:443"):
        assert Reindex(encoder_url=url).encoder_url == url


@pytest.mark.parametrize("folder", ["x" * 256, "a/" + "y" * 300, "\0", "a\ud800"])
def test_ingest__of_a_name_that_no_file_system_takes_is_refused(bench: Bench, folder: str) -> None:
    response = _submit(bench, {"kind": "ingest", "folder": folder})
    assert response.status_code == 422
    assert IngestPart(folder="x" * 255)


def test_refusals__name_the_value_and_what_there_is(bench: Bench) -> None:
    with bench.station.api() as client:
        _check_refusals(client)


def _check_refusals(client: ProjectorClient) -> None:
    def rollout(value: float) -> dict:
        return {"kind": "rollout", "bundle_version": "tiny-1", "latent": [value, 0, 0, 0]}

    with pytest.raises(WrongLatent, match=r"latent.0: .*less than or equal to 1000000.*1e\+300"):
        client._call("POST", "/v1/jobs", json=rollout(1e300))
    with pytest.raises(WrongLatent, match=r"the latent has -1001, beyond ±1000 standard deviations"):
        client._call("POST", "/v1/jobs", json=rollout(-1001))
    with pytest.raises(NotFound, match="no case nobody in the collection"):
        client._call("POST", "/v1/jobs", json={"kind": "rollout", "bundle_version": "tiny-1", "case": "nobody"})
    with pytest.raises(BadInput, match=r"the port is 99999999; name one from 1 to 65535"):
        client._call("POST", "/v1/jobs", json={"kind": "reindex", "encoder_url": "http://127.0.0.1:99999999"})
