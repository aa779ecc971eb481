"""What a worker's parent process does beside its children: renew leases, kill cancelled work, requeue lost jobs."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded
from celery import bootsteps
from celery.worker import state as worker_state
from celery.worker.request import Request

from casekin.contracts.projector import JobState
from casekin.errors import Unavailable
from casekin.service.problems import describe
from services.projector.jobs.broker import job_of
from services.projector.jobs.heartbeat import Heartbeat
from services.projector.jobs.kinds import JobKind
from services.projector.jobs.store import JobStore

log = structlog.get_logger("projector")


def lease_step(store: JobStore, heartbeat: Heartbeat, queues: Sequence[str], host: str, every_s: float) -> type[Any]:
    """A Celery consumer step that runs every `every_s` seconds in the parent's event loop.

    Children cannot renew their own leases: numba holds the interpreter for as long as it likes.
    """

    class Leases(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, parent: Any, **options: Any) -> None:
            super().__init__(parent, **options)
            self._timer: Any = None
            self._warned: set[str] = set()

        def start(self, parent: Any) -> None:
            self._timer = parent.timer.call_repeatedly(every_s, self._beat, (parent,))
            self._beat(parent)

        def stop(self, _parent: Any) -> None:
            if self._timer is not None:
                self._timer.cancel()
            with contextlib.suppress(Unavailable):
                for queue in queues:
                    heartbeat.leave(queue, host)

        def _beat(self, parent: Any) -> None:
            with contextlib.suppress(Unavailable):  # Celery itself reports a lost connection
                for queue in queues:
                    heartbeat.beat(queue, host)
                for request in list(worker_state.active_requests):
                    self._renew(request, parent)

        def _renew(self, request: Any, parent: Any) -> None:
            """Renew the lease; cancelled work that has not stopped by itself by the second beat is killed."""
            if store.renew(job_of(request.id), request.id) is not JobState.CANCELLED:
                return
            if request.id in self._warned:
                self._warned.discard(request.id)
                log.info("cancelled job killed", job=job_of(request.id))
                request.terminate(parent.pool, signal="KILL")
            else:
                self._warned.add(request.id)

    return Leases


def lease_aware_request(store: JobStore, kinds: Mapping[str, JobKind]) -> type[Request]:
    """A Celery request that closes or puts back the job whose child process died or was killed for taking too long."""

    class LeaseAwareRequest(Request):
        def on_timeout(self, soft: bool, timeout: float) -> None:
            if not soft:
                limit = kinds[self.name].limit_s
                slow = Unavailable(f"{self.name} took longer than its limit of {limit} s and was killed")
                with contextlib.suppress(Unavailable):
                    store.finish(job_of(self.id), self.id, JobState.FAILED, describe(slow))
            super().on_timeout(soft, timeout)

        def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
            # billiard wraps what it passes on of its own limits: only the type says which it was
            if not return_ok and not issubclass(exc_info.type, TimeLimitExceeded):
                with contextlib.suppress(Unavailable):  # then the sweep finds it by its lease
                    if state := store.abandon(job_of(self.id), self.id):
                        log.error("worker process lost", job=job_of(self.id), kind=self.name, now=state.value)
            super().on_failure(exc_info, send_failed_event, return_ok)

    return LeaseAwareRequest
