"""The indexes that are open in this process, each for the latents of its own bundle, and which of them is live.

A search is answered by the index of its latent's bundle, so none is ever answered from the wrong one, whatever is
switched meanwhile. All else that asks for the collection means the live index.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import IndexState
from casekin.errors import Conflict, WrongLatent
from services.search.indexing.registry_state import Records, Register
from services.search.retrieval.search import Searcher
from services.search.storage.collection_info import Description
from services.search.storage.shared_lock import ChangeLock
from services.search.vector_store.factory import Engine
from services.search.vector_store.port import CaseIndex

log = structlog.get_logger("search")
_FRESH_S = 2.0
"""After so long another copy of the service has seen a switch; a write looks anew, and so does a refusal."""
_SETTLED_S = 2.0
"""Searches that began on an index are over by then: it is not closed under them."""


@dataclass(frozen=True)
class OpenIndex:
    """One index with what reads it."""

    manifest: BundleManifest
    cases: CaseIndex
    searcher: Searcher

    @property
    def version(self) -> BundleVersion:
        """Of its bundle."""
        return self.manifest.version


class Indexes:
    """All indexes of the register, open; safe to share between threads."""

    def __init__(
        self,
        engine: Engine,
        records: Records,
        description: Description,
        first: BundleManifest,
        changing: ChangeLock,
    ) -> None:
        """Open what is registered, and the index of the bundle `first`; it is live where no other has cases.

        Raises `Conflict` where another process has an index open, `Unavailable`.
        """
        self._engine, self._records, self._description = engine, records, description
        self._lock = threading.RLock()
        """Held while the register is read or written, so that no older one comes after a newer one."""
        self._open: dict[BundleVersion, OpenIndex] = {}
        self._parting: list[tuple[float, OpenIndex]] = []
        """Deleted; searches on them may be under way until the time given."""
        self.changing = changing
        """Held while cases change and while the live index does, by one thread of one copy of the service."""
        try:
            with self.changing:
                records.keep(first)
                self._start(records.read(), first)
        except BaseException:
            self.close()
            raise

    def _start(self, known: Register | None, first: BundleManifest) -> None:
        register = known or Register(live=first.version)
        for version in register.leaving:
            register = self._removed(register, version)
        register = register.with_new(first.version)
        if register.live != first.version and self._opened(register.live).cases.count() == 0:
            register = register.switched(first.version)
        self._hold(register)
        if register.live != first.version:
            log.warning("another bundle is live than CASEKIN_BUNDLE", live=register.live, given=first.version)
        if register != known:
            self._records.write(register)
        self._engine.announce_live(register.live)

    def _hold(self, register: Register) -> None:
        """Believe `register`, with each of its indexes open; those that are deleted are let go when they are quiet."""
        for version in register.states:
            self._opened(version)
        now = time.monotonic()
        self._register, self._read_at = register, now
        gone = self._open.keys() - register.states.keys()
        self._parting += [(now + _SETTLED_S, self._open.pop(version)) for version in gone]
        for due, index in self._parting:
            if due <= now:
                index.cases.close()
        self._parting = [(due, index) for due, index in self._parting if due > now]

    def _opened(self, version: BundleVersion) -> OpenIndex:
        if (held := self._open.get(version)) is not None:
            return held
        with self._lock:
            if version not in self._open:
                manifest = self._records.manifest(version)
                cases = self._engine.open(manifest)
                self._open[version] = OpenIndex(manifest, cases, Searcher(cases, manifest, self._description))
            return self._open[version]

    def register(self, *, fresh: bool = False) -> Register:
        """Which indexes there are; some seconds old unless `fresh`, and older where the image store does not answer."""
        if fresh:
            with self._lock:
                self._hold(self._records.read() or self._register)
        elif time.monotonic() - self._read_at > _FRESH_S and self._lock.acquire(blocking=False):
            try:  # one thread looks, others take what is known
                with suppress(OSError):
                    self._hold(self._records.read() or self._register)
            finally:
                self._lock.release()
        return self._register

    def live(self, *, fresh: bool = False) -> OpenIndex:
        """The index whose cases are the collection."""
        return self._opened(self.register(fresh=fresh).live)

    def of(self, version: BundleVersion) -> OpenIndex:
        """The index of a bundle, whatever its state; raises `NotFound`."""
        self.register(fresh=True).check(version)
        return self._opened(version)

    def answering(self, version: BundleVersion) -> OpenIndex:
        """The index that answers latents of a bundle: live, or live before; raises `WrongLatent` where none does."""
        for fresh in (False, True):
            register = self.register(fresh=fresh)
            if register.states.get(version) in ("live", "standby"):
                return self._opened(version)
        raise WrongLatent(
            f"the latent is of bundle {version}, this collection of bundle {register.live}; encode the image again"
        )

    def all(self) -> list[tuple[IndexState, OpenIndex]]:
        """Every index with its state, in the order of `IndexList`."""
        return [(state, self._opened(version)) for version, state in self.register(fresh=True).states.items()]

    def pictures(self, ids: Sequence[CaseId]) -> list[tuple[CaseId, str]]:
        """Ids of cases with the key of each picture that an index refers to."""
        return [(stored.case.id, stored.image) for _, index in self.all() for stored in index.cases.get(ids)]

    def add(self, manifest: BundleManifest) -> OpenIndex:
        """The index of a bundle, made empty beside the others where it is not there."""
        with self.changing:
            self._records.keep(manifest)
            self._change(lambda register: register.with_new(manifest.version))
            return self._opened(manifest.version)

    def make_live(self, version: BundleVersion) -> Register:
        """Make an index live, durably and at once; with `changing` held, so that no case comes in between."""
        self.of(version)
        self._change(lambda register: register.switched(version))
        self._engine.announce_live(version)
        return self._register

    def deletable(self, version: BundleVersion) -> OpenIndex:
        """An index that is not live; raises `Conflict`, `NotFound`."""
        index = self.of(version)
        if self._register.live == version:
            raise Conflict(f"the index of bundle {version} is live; switch to another one first")
        return index

    def delete(self, version: BundleVersion) -> None:
        """Delete an index that is not live, with all that it holds; raises `Conflict`, `NotFound`."""
        with self.changing:
            self.deletable(version)
            self._change(lambda register: register.losing(version))
            time.sleep(_SETTLED_S)
            self._change(lambda register: self._removed(register, version))

    def _change(self, change: Callable[[Register], Register]) -> None:
        with self._lock:
            register = change(self.register(fresh=True))
            self._records.write(register)
            self._hold(register)

    def _removed(self, register: Register, version: BundleVersion) -> Register:
        if version not in register.leaving:  # it was asked for again meanwhile
            return register
        self._engine.remove(version)
        self._records.forget(version)
        return register.lost(version)

    def close(self) -> None:
        """Flush and let go of all."""
        for index in (*self._open.values(), *(index for _, index in self._parting)):
            index.cases.close()
