"""A second copy of the service in a process of its own, over the same Qdrant collections and the same image store.

The collections are qdrant-client's in-memory engine, served to both processes by a third one.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.managers import BaseManager
from typing import Any

from qdrant_client import QdrantClient

from casekin.contracts.indexes import EncodedAnew, IndexFill
from services.search.api.dependencies import Dependencies
from services.search.app import assemble
from services.search.settings import SearchSettings
from services.search.vector_store.factory import ServerEngine
from services.search.vector_store.port import StoredCase
from services.search.vector_store.server.collection_config import ServerOptions
from tests.integration.search.made import batch, manifest

NEW = "made-2"
PAUSE_S = 0.6
"""Longer than a deletion takes; the whole pause where the other copy has to wait."""


class OneAtATime:
    """A client whose calls take turns: the in-memory engine is not made for threads."""

    def __init__(self) -> None:
        self._client, self._turn = QdrantClient(":memory:"), threading.RLock()

    def call(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        with self._turn:
            return getattr(self._client, name)(*arguments, **options)


class Shared(BaseManager):
    """The process that has the collections, and the events by which two copies meet."""


_CLIENTS: dict[str, OneAtATime] = {}
_EVENTS: dict[str, threading.Event] = {}


def _client(name: str) -> OneAtATime:
    return _CLIENTS.setdefault(name, OneAtATime())


def _event(name: str) -> threading.Event:
    return _EVENTS.setdefault(name, threading.Event())


Shared.register("client", callable=_client, exposed=["call"])
Shared.register("event", callable=_event, exposed=["set", "wait"])


class RemoteClient:
    """A client as `ServerIndex` takes it, of collections in another process."""

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    def close(self) -> None:
        """The collections stay."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._proxy.call(name, arguments, options)


@dataclass(frozen=True)
class Place:
    """Where both copies find everything of one test."""

    address: tuple[str, int]
    settings: SearchSettings
    name: str

    def shared(self) -> Any:
        shared = Shared(self.address, authkey=b"test")
        shared.connect()
        return shared

    def open(self) -> Dependencies:
        client: Any = RemoteClient(self.shared().client(self.name))
        return assemble(self.settings, ServerEngine(lambda: client, "cases", ServerOptions()))

    def event(self, name: str) -> Any:
        return self.shared().event(f"{self.name}-{name}")

    def pause(self) -> None:
        """In the second copy, in the midst of a change: let the first copy act, and wait for it as long as that may."""
        self.event("paused").set()
        self.event("go on").wait(PAUSE_S)


def filled(place: Place, cases: Sequence[StoredCase]) -> int:
    """Fill the new index, with a pause between reading the cases and writing them."""
    parts = place.open()
    _pause_before(parts.indexes.index(NEW).cases, "upsert", place)
    taken = [EncodedAnew(id=one.case.id, digest=one.digest, latent=one.latent.tolist()) for one in cases]
    return parts.backfill.fill(NEW, IndexFill(source="made-1", cases=taken)).stored


def written(place: Place, cases: Sequence[StoredCase]) -> int:
    """Write cases, with a pause between their images and the index."""
    parts = place.open()
    _pause_before(parts.indexes.live().cases, "upsert", place)
    return parts.writer.put(*batch(cases)).stored


def restored(place: Place, snapshot: str) -> int:
    """Restore a snapshot, with a pause between reading it and writing the index."""
    parts = place.open()
    _pause_before(parts.indexes.live().cases, "upsert", place)
    return parts.snapshots.restore(snapshot).cases


def taken(place: Place, snapshot: str) -> int:
    """Take a snapshot, with a pause between reading the index and writing the snapshot."""
    parts = place.open()
    _pause_before(parts.snapshots._blobs, "write_all", place)
    return parts.snapshots.take(snapshot).cases


def added(place: Place, version: str) -> int:
    """Add an index, with a pause between reading the list of indexes and writing it."""
    parts = place.open()
    _pause_before(parts.indexes._store, "write", place)
    parts.indexes.add(manifest(version))
    return 0


def _pause_before(thing: Any, name: str, place: Place) -> None:
    """Pause before the first call of a method."""
    call = getattr(thing, name)

    def paused(*arguments: Any) -> Any:
        setattr(thing, name, call)
        place.pause()
        return call(*arguments)

    setattr(thing, name, paused)
