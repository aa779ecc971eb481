"""While one change runs every other waits, is refused after its time, and then has changed nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from casekin.contracts.indexes import EncodedAnew, IndexFill, Switch
from casekin.errors import NotFound, Unavailable, WrongLatent
from services.search import app
from services.search.api.dependencies import Dependencies
from services.search.app import assemble
from services.search.settings import SearchSettings
from services.search.storage.shared_lock import ChangeLock
from services.search.vector_store.factory import ServerEngine
from services.search.vector_store.server.collection_config import ServerOptions
from tests.integration.search.conftest import InMemory
from tests.integration.search.made import batch, collection, manifest

CASES = collection(12)
NEW, OLD = "made-2", "made-0"
FILL = IndexFill(
    source="made-1",
    cases=[EncodedAnew(id=one.case.id, digest=one.digest, latent=one.latent.tolist()) for one in CASES],
)


@pytest.fixture
def parts(settings: SearchSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dependencies]:
    """A live index with cases and a snapshot, and two empty ones; a change waits a moment only."""
    monkeypatch.setattr(app, "ChangeLock", partial(ChangeLock, wait_s=0.05))
    client = InMemory(":memory:")
    parts = assemble(settings, ServerEngine(lambda: client, "cases", ServerOptions()))
    parts.writer.put(*batch(CASES))
    parts.snapshots.take("before")
    for version in (NEW, OLD):
        parts.indexes.add(manifest(version))
    yield parts
    parts.indexes.close()


@contextmanager
def another_change() -> Iterator[Callable[[ChangeLock], None]]:
    """Gives what lets another thread hold the lock until the block ends."""
    entered, ended = threading.Event(), threading.Event()
    threads = []

    def hold(lock: ChangeLock) -> None:
        with lock:
            entered.set()
            ended.wait(20)

    def begin(lock: ChangeLock) -> None:
        threads.append(threading.Thread(target=hold, args=(lock,)))
        threads[0].start()
        assert entered.wait(5)

    yield begin
    ended.set()
    for thread in threads:
        thread.join(5)


def everything(parts: Dependencies, settings: SearchSettings) -> tuple[Any, ...]:
    files = {path: path.stat().st_mtime_ns for path in (settings.data / "images").rglob("*") if path.name != "changes"}
    return [(state, index.version, index.cases.revision()) for state, index in parts.indexes.all()], files


CHANGES: list[Callable[[Dependencies], object]] = [
    lambda parts: parts.writer.put(*batch(collection(13)[12:])),
    lambda parts: parts.deleter.case(CASES[0].case.id),
    lambda parts: parts.deleter.lesion(CASES[1].case.lesion_id or ""),
    lambda parts: parts.backfill.fill(NEW, FILL),
    lambda parts: parts.backfill.switch(Switch(bundle_version=NEW, even_if_behind=True)),
    lambda parts: parts.backfill.delete(OLD),
    lambda parts: parts.snapshots.take("after"),
    lambda parts: parts.snapshots.restore("before"),
    lambda parts: parts.snapshots.delete("before"),
    lambda parts: parts.indexes.add(manifest("made-3")),
    lambda parts: parts.indexes.delete(OLD),
]


@pytest.mark.parametrize("change", CHANGES)
def test_change__does_nothing_while_another_one_runs(
    parts: Dependencies, settings: SearchSettings, change: Callable[[Dependencies], object]
) -> None:
    before = everything(parts, settings)
    with another_change() as begin:
        begin(parts.indexes.changing)
        with pytest.raises(Unavailable, match="another change of the collection has been running"):
            change(parts)
        assert everything(parts, settings) == before


@pytest.mark.parametrize("change", [CHANGES[number] for number in (0, 1, 3, 7)])
def test_change__that_may_have_lost_the_lock_does_not_touch_the_index(
    parts: Dependencies, monkeypatch: pytest.MonkeyPatch, change: Callable[[Dependencies], object]
) -> None:
    def lost() -> None:
        raise Unavailable("the lease is over")

    before = [index.cases.revision() for _, index in parts.indexes.all()]
    monkeypatch.setattr(parts.indexes.changing, "check", lost)
    with pytest.raises(Unavailable, match="the lease is over"):
        change(parts)
    assert [index.cases.revision() for _, index in parts.indexes.all()] == before


def test_write__for_an_index_that_is_switched_while_it_waits_is_refused(
    parts: Dependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its latents would lie in an index of another bundle."""
    changing = parts.indexes.changing

    class SwitchedFirst:
        """The lock, for which the writer waits while another thread switches."""

        def __enter__(self) -> None:
            monkeypatch.setattr(parts.indexes, "changing", changing)
            parts.backfill.switch(Switch(bundle_version=NEW, even_if_behind=True))
            changing.__enter__()

        def __exit__(self, *error: Any) -> None:
            changing.__exit__(*error)

    monkeypatch.setattr(parts.indexes, "changing", SwitchedFirst())
    with pytest.raises(WrongLatent, match="this collection of bundle made-2"):
        parts.writer.put(*batch(CASES))
    assert [index.cases.count() for _, index in parts.indexes.all()] == [0, 12, 0]


def test_fill__of_an_index_that_is_deleted_while_it_waits_is_refused(
    parts: Dependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = parts.indexes.changing

    class DeletedFirst:
        def __enter__(self) -> None:
            monkeypatch.setattr(parts.indexes, "changing", changing)
            parts.backfill.delete(NEW)
            changing.__enter__()

        def __exit__(self, *error: Any) -> None:
            changing.__exit__(*error)

    monkeypatch.setattr(parts.indexes, "changing", DeletedFirst())
    with pytest.raises(NotFound, match="there is no index of bundle made-2"):
        parts.backfill.fill(NEW, FILL)
