"""All indexes, open in this process: one for the latents of each bundle; the cases of the live one are the collection.

A search is answered by the index of its latent's bundle, so a switch never lets an index answer latents of another one.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import IndexState
from casekin.errors import Conflict, Unavailable, WrongLatent
from casekin.ttl_cache import TtlCache
from services.search.indexing.registry_state import RegistryState, RegistryStore
from services.search.retrieval.search import Searcher
from services.search.storage.collection_info import CollectionInfoStore
from services.search.storage.shared_lock import ChangeLock
from services.search.vector_store.factory import Engine
from services.search.vector_store.port import CaseIndex

log = structlog.get_logger("search")
_FRESH_S = 2.0
"""Seconds after which a request starts a read of the state in the background, to see a switch by another copy."""
_SETTLED_S = 2.0
"""Searches that began on an index are over by then: it is not closed under them."""


@dataclass(frozen=True)
class OpenIndex:
    """One index, its bundle's manifest, and the search over it."""

    manifest: BundleManifest
    cases: CaseIndex
    searcher: Searcher

    @property
    def version(self) -> BundleVersion:
        """Version of its bundle."""
        return self.manifest.version


class IndexRegistry:
    """Opens, switches and deletes indexes; safe to share between threads.

    Searches never wait for the image store: the state is read in the background, or by a caller that needs it fresh,
    and no lock is held meanwhile.
    """

    def __init__(
        self,
        engine: Engine,
        store: RegistryStore,
        collection_info: CollectionInfoStore,
        first: BundleManifest,
        changing: ChangeLock,
    ) -> None:
        """Open all registered indexes and that of the bundle `first`, which becomes live where no other has cases.

        Raises `Conflict` where another process has an index open, or where the index of that version was made with
        another bundle; `Unavailable`.
        """
        self._engine, self._store, self._collection_info = engine, store, collection_info
        self._lock = threading.Lock()
        """Guards the fields below, held while indexes open and close; those that are open need no lock."""
        self._open: dict[BundleVersion, OpenIndex] = {}
        self._closing: list[tuple[float, OpenIndex]] = []
        """Deleted indexes, each with the time after which no search uses it."""
        self._state = RegistryState(live=first.version)
        self._refresh = TtlCache(self._read, fresh_s=_FRESH_S, stale_s=math.inf)
        self.changing = changing
        """Held while cases change and while the live index does, by one thread of one copy of the service."""
        try:
            with self.changing:
                store.add_manifest(first)
                self._start(store.read(), first)
        except BaseException:
            self.close()
            raise

    def _start(self, stored: RegistryState | None, first: BundleManifest) -> None:
        state = stored or self._state
        for version in state.deleting:
            state = self._removed(state, version)
        state = state.with_new(first.version)
        self._adopt(state)
        if state.live != first.version and self._open[state.live].cases.count() == 0:
            state = state.switched(first.version)
            self._adopt(state)
        if state.live != first.version:
            log.warning("another bundle is live than CASEKIN_BUNDLE", live=state.live, given=first.version)
        if state != stored:
            self._store.write(state)
        self._engine.announce_live(state.live)
        self._refresh.put(state)

    def _read(self) -> RegistryState:
        """Read the stored state and adopt it, unless a newer one is known."""
        stored = self._store.read()
        if stored is not None:
            self._adopt(stored)
        return self._state

    def _adopt(self, state: RegistryState) -> None:
        """Open the indexes of a state and make it known; close those it does not have once no search uses them."""
        with self._lock:
            if state.changes < self._state.changes:
                return
            for version in state.states:
                if version not in self._open:
                    self._open[version] = self._opened(version)
            now = time.monotonic()
            self._state = state
            gone = self._open.keys() - state.states.keys()
            self._closing += [(now + _SETTLED_S, self._open.pop(version)) for version in gone]
            for due, index in self._closing:
                if due <= now:
                    index.cases.close()
            self._closing = [(due, index) for due, index in self._closing if due > now]

    def _opened(self, version: BundleVersion) -> OpenIndex:
        manifest = self._store.manifest(version)
        cases = self._engine.open(manifest)
        return OpenIndex(manifest, cases, Searcher(cases, manifest, self._collection_info))

    def state(self, *, fresh: bool = False) -> RegistryState:
        """The indexes and their states; without `fresh` at once, and older while the image store does not answer."""
        if fresh:
            self._read()
        else:
            self._refresh.get()
        return self._state

    def live(self, *, fresh: bool = False) -> OpenIndex:
        """The index whose cases are the collection."""
        return self._index(self.state(fresh=fresh).live)

    def index(self, version: BundleVersion) -> OpenIndex:
        """The index of a bundle, whatever its state; raises `NotFound`."""
        self.state(fresh=True).check(version)
        return self._index(version)

    def answering(self, version: BundleVersion) -> OpenIndex:
        """The index that answers latents of a bundle: live, or live before; raises `WrongLatent` where none does."""
        if (found := self._answering(version)) is None:
            with suppress(Unavailable):  # another copy may just have switched
                self.state(fresh=True)
            found = self._answering(version)
        if found is None:
            raise WrongLatent(
                f"the latent is of bundle {version}, this collection of bundle {self._state.live}; "
                "encode the image again"
            )
        return found

    def _answering(self, version: BundleVersion) -> OpenIndex | None:
        answers = self.state().states.get(version) in ("live", "standby")
        return self._index(version) if answers else None

    def _index(self, version: BundleVersion) -> OpenIndex:
        """An index of the state as it is or was a moment ago."""
        if (index := self._open.get(version)) is not None:
            return index
        with self._lock:
            for known in (*self._open.values(), *(closing for _, closing in self._closing)):
                if known.version == version:
                    return known
        raise Conflict(f"the index of bundle {version} has just been deleted; look again")

    def all(self) -> list[tuple[IndexState, OpenIndex]]:
        """Every index with its state, in the order of `IndexList`."""
        return [(state, self._index(version)) for version, state in self.state(fresh=True).states.items()]

    def image_keys(self, ids: Sequence[CaseId]) -> list[tuple[CaseId, str]]:
        """Ids of cases with the key of each image that an index refers to."""
        return [(stored.case.id, stored.image) for _, index in self.all() for stored in index.cases.get(ids)]

    def add(self, manifest: BundleManifest) -> OpenIndex:
        """The index of a bundle, made empty beside the others where there is none.

        Raises `Conflict` where it was made with another bundle of this version.
        """
        with self.changing:
            self._store.add_manifest(manifest)
            self._change(lambda state: state.with_new(manifest.version))
            return self._index(manifest.version)

    def make_live(self, version: BundleVersion) -> RegistryState:
        """Make an index live, durably and at once; with `changing` held, so that no case comes in between."""
        self.index(version)
        state = self._change(lambda state: state.switched(version))
        self._engine.announce_live(version)
        return state

    def deletable(self, version: BundleVersion) -> OpenIndex:
        """An index that is not live; raises `Conflict`, `NotFound`."""
        index = self.index(version)
        if self._state.live == version:
            raise Conflict(f"the index of bundle {version} is live; switch to another one first")
        return index

    def delete(self, version: BundleVersion) -> None:
        """Delete an index that is not live, with all its cases; raises `Conflict`, `NotFound`."""
        with self.changing:
            self.deletable(version)
            self._change(lambda state: state.without(version))
            time.sleep(_SETTLED_S)
            self._change(lambda state: self._removed(state, version))

    def _change(self, change: Callable[[RegistryState], RegistryState]) -> RegistryState:
        """Change the stored state, with `changing` held: no other copy writes it meanwhile."""
        before = self.state(fresh=True)
        state = change(before)
        if state != before:
            self._store.write(state)
            self._adopt(state)
        return state

    def _removed(self, state: RegistryState, version: BundleVersion) -> RegistryState:
        if version not in state.deleting:  # added again meanwhile
            return state
        self._engine.remove(version)
        self._store.delete_manifest(version)
        return state.with_deleted(version)

    def close(self) -> None:
        """Flush and close all indexes."""
        for index in (*self._open.values(), *(index for _, index in self._closing)):
            index.cases.close()
