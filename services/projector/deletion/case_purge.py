"""Remove deleted cases from cached latents, kept maps and stored results.

Search deletes a case; the projector stores copies of its id, diagnosis, lesion, latent and place. Whoever deletes
calls `CasePurge.purge`. A deletion that nobody reported is found by `CasePurge.reconcile`.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.projector import PurgeResult
from casekin.errors import CasekinError, Conflict
from services.projector.jobs.store import JobStore
from services.projector.latents.collection_latents import CollectionReader
from services.projector.projection.map_store import MapStore
from services.projector.storage.deletion_mark import DeletionMark
from services.projector.storage.job_results import JobResults

log = structlog.get_logger("projector")
_IDS_PER_REQUEST = 4096
_DUTY = 20
"""A reconciliation runs at most a twentieth of the time."""


@dataclass
class CasePurge:
    """Removes cases from every file of the projector's folder; safe to repeat and to run in several copies."""

    search: SearchClient
    reader: CollectionReader
    maps: MapStore
    results: JobResults
    store: JobStore
    deletions: DeletionMark
    summaries: frozenset[str]
    """Kinds of jobs whose results stay unless they name a deleted case."""
    _revision: tuple[str, str] | None = None
    """Of the collection, when it was last reconciled."""

    def purge(self, ids: list[CaseId]) -> PurgeResult:
        """Remove `ids`; raises `Conflict` where search still has one of them, `Unavailable`, `StorageFull`."""
        if stored := self._stored(ids):
            raise Conflict(f"case {min(stored)} is in the collection; delete it there first")
        return self._remove(frozenset(ids))

    def reconcile(self) -> PurgeResult | None:
        """Remove every case that the collection does not have any more, if it changed since the last time."""
        collection = self.search.collection()
        revision = (collection.bundle_version, collection.revision)
        if revision == self._revision or not collection.cases:  # an empty one may be a volume that is not mounted
            return None
        ids = sorted(self.reader.stored_ids() | self.maps.stored_ids())
        gone = set(ids) - self._stored(ids)
        result = self._remove(frozenset(gone)) if gone else None
        self._revision = revision
        return result

    async def run(self, every_s: float) -> None:
        """Reconcile for ever; what fails is tried again at the next turn."""
        pause = every_s
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                await asyncio.to_thread(self.reconcile)
            except (CasekinError, OSError) as error:
                log.warning("reconciliation failed", detail=str(error))
            pause = max(every_s, _DUTY * (time.monotonic() - began))

    def _stored(self, ids: list[CaseId]) -> set[CaseId]:
        """Those of `ids` that search has."""
        chunks = (ids[first : first + _IDS_PER_REQUEST] for first in range(0, len(ids), _IDS_PER_REQUEST))
        return {case for chunk in chunks for case in self.search.digests(chunk)}

    def _remove(self, ids: frozenset[CaseId]) -> PurgeResult:
        """Sources first, then the mark, then results: a job that began before the mark runs again by itself."""
        latents, maps = self.reader.remove(ids), self.maps.remove_cases(ids)
        renewed = time.time()
        self.deletions.renew()
        results = self.results.remove_written_before(renewed, self._keeps, ids)
        log.info("cases purged", cases=len(ids), latents=latents, maps=maps, results=results)
        return PurgeResult(cases=len(ids), latents=latents, maps=maps, results=results)

    def _keeps(self, job_ids: Iterable[str]) -> set[str]:
        """Those jobs whose result tells of the work, not of cases."""
        return {job_id for job_id in job_ids if self.store.kind(job_id) in self.summaries}
