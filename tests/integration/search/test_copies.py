"""Two copies of the service, each a process, on one Qdrant and one image store: their changes never mix."""

import multiprocessing
import secrets
from collections.abc import Callable, Iterator
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from casekin.errors import Conflict
from services.search.api.dependencies import Dependencies
from services.search.settings import SearchSettings
from tests.integration.search import second_copy
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, collection, manifest
from tests.integration.search.second_copy import NEW, Place, Shared

CASES = collection(12)
GONE = CASES[4].case.id


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with Shared(("127.0.0.1", 0), authkey=b"test", ctx=multiprocessing.get_context("spawn")) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Object storage over HTTP; the URL of its endpoint."""
    server = ThreadedMotoServer(port=0)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("casekin")
        yield "s3://casekin"
    server.stop()


@pytest.fixture(scope="module")
def process(s3: str) -> Iterator[Pool]:
    """The process of the second copy."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "folder"))


@pytest.fixture
def place(store: str, shared: Shared, s3: str, tmp_path: Path) -> Place:
    name = secrets.token_hex(6)
    settings = settings_in(tmp_path)
    if store == "s3":
        settings = SearchSettings(**settings.model_dump() | {"images_url": f"{s3}/{name}"})
    address: Any = shared.address
    return Place(address, settings, name)


@pytest.fixture
def first(place: Place) -> Dependencies:
    """The copy in this process, with the cases in its live index and an empty one beside it."""
    parts = place.open()
    parts.writer.put(*batch(CASES))
    parts.indexes.add(manifest(NEW))
    parts.snapshots.take("before")
    return parts


@pytest.fixture
def begin(place: Place, process: Pool) -> Callable[..., AsyncResult[int]]:
    """Begins a change in the second copy and returns when it is in the midst of it."""

    def started(change: Callable[..., int], *arguments: Any) -> AsyncResult[int]:
        running = process.apply_async(change, (place, *arguments))
        assert place.event("paused").wait(120), running.get(0)
        return running

    return started


@pytest.mark.parametrize(
    ("change", "arguments", "store"),
    [
        (second_copy.filled, (CASES,), "folder"),
        (second_copy.written, (CASES,), "folder"),
        (second_copy.restored, ("before",), "folder"),
        (second_copy.taken, ("meanwhile",), "folder"),
        (second_copy.filled, (CASES,), "s3"),
    ],
    indirect=["store"],
)
def test_deleted_case__is_not_written_back_by_another_copy(
    place: Place,
    first: Dependencies,
    begin: Callable[..., AsyncResult[int]],
    change: Callable[..., int],
    arguments: tuple[Any, ...],
) -> None:
    running = begin(change, *arguments)
    done = first.deleter.case(GONE)
    place.event("go on").set()
    running.get(120)
    assert (done.cases, done.left) == ([GONE], 0)
    assert [index.version for _, index in first.indexes.all() if index.cases.get([GONE])] == []
    assert first.images.files(GONE) == []
    assert first.snapshots.holding([GONE]) == 0


@pytest.mark.parametrize("store", ["folder", "s3"], indirect=True)
def test_snapshot_of_one_name__is_taken_by_one_copy(
    place: Place, first: Dependencies, begin: Callable[..., AsyncResult[int]]
) -> None:
    running = begin(second_copy.taken, "same")
    with pytest.raises(Conflict, match="there is a snapshot same already"):
        first.snapshots.take("same")
    assert running.get(120) == len(CASES)
    assert first.snapshots.restore("same").cases == first.indexes.live().cases.count() == len(CASES)


def test_added_indexes__are_both_kept(
    place: Place, first: Dependencies, begin: Callable[..., AsyncResult[int]]
) -> None:
    running = begin(second_copy.added, "made-3")
    first.indexes.add(manifest("made-4"))
    running.get(120)
    assert {index.version for _, index in first.indexes.all()} == {"made-1", NEW, "made-3", "made-4"}
