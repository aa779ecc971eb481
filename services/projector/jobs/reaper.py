"""Requeue jobs whose worker died or whose wait is over, and delete expired results; every copy of the API runs one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from casekin.contracts.projector import JobState
from casekin.errors import CasekinError
from services.projector.jobs.broker import Publisher
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.store import JobStore
from services.projector.storage.job_results import JobResults

log = structlog.get_logger("projector")


@dataclass(frozen=True)
class Reaper:
    """Sweeps over all jobs that are not final."""

    store: JobStore
    results: JobResults
    publisher: Publisher
    kinds: Mapping[str, JobKind]
    patience_s: float
    """A job queued for so long while its queue is empty has lost its message."""

    def sweep(self) -> None:
        """Requeue jobs that lost their worker or their message, and delete expired results."""
        for job_id, kind in self.store.live():
            if kind not in self.kinds:  # of a newer version, whose own API looks after it
                log.warning("job of an unknown kind left alone", job=job_id, kind=kind)
                continue
            state = self.store.abandon(job_id)
            if state is JobState.PARKED:
                log.error("job parked: its worker died too often", job=job_id, kind=kind)
            elif state is JobState.QUEUED or self.store.is_due(job_id) or self._lost_message(job_id, kind):
                log.warning("job queued again", job=job_id, kind=kind)
                self.publisher.publish(job_id, kind)
        self.results.sweep()

    def _lost_message(self, job_id: str, kind: str) -> bool:
        return self.store.waiting(self.kinds[kind].queue) == 0 and self.store.remind(job_id, self.patience_s)

    async def run(self, every_s: float) -> None:
        """Sweep for ever; what fails is tried again at the next turn."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await asyncio.to_thread(self.sweep)
            except (CasekinError, OSError) as error:
                log.warning("sweep failed", detail=str(error))
