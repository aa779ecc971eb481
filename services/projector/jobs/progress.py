"""How a task says how far it is, and learns that nobody wants the result any more."""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from casekin.contracts.projector import Progress
from casekin.errors import Unavailable
from services.projector.jobs.store import JobStore

log = structlog.get_logger("projector")


class Cancelled(Exception):
    """The job was cancelled, or another worker has it: stop and leave no trace."""


class Report(Protocol):
    """Takes progress; raises `Cancelled` where the work is no longer wanted."""

    def __call__(self, progress: Progress) -> None:
        """Note it."""


class Reporter:
    """Writes progress into the job store, at most every `every_s` seconds."""

    def __init__(self, store: JobStore, job_id: str, token: str, *, every_s: float = 0.2) -> None:
        self._store, self._job_id, self._token, self._every_s = store, job_id, token, every_s
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Note it, unless the last note is too recent."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        try:
            wanted = self._store.report(self._job_id, self._token, progress)
        except Unavailable as error:  # the work goes on without being watched
            log.warning("progress not noted", job=self._job_id, detail=error.detail)
            return
        if not wanted:
            raise Cancelled(self._job_id)


class Stage:
    """One stage of a job: counts its own steps into the share ``start..end`` of the whole."""

    def __init__(
        self,
        report: Report,
        start: float,
        end: float,
        message: Callable[[int, int], str],
        *,
        last: bool = False,
    ) -> None:
        self._report, self._start, self._end, self._message, self._last = report, start, end, message, last
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` steps are made; the last stage also estimates the time that remains."""
        share = done / total if total else 1.0
        remaining = (time.monotonic() - self._began) / done * (total - done) if self._last and done else None
        fraction = self._start + (self._end - self._start) * min(share, 1.0)
        self._report(Progress(fraction=fraction, message=self._message(done, total), remaining_s=remaining))
