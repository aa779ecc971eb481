"""Celery as Casekin uses it: JSON only, nothing lost with a worker, no result backend (the job store is the truth)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu.exceptions import KombuError

from casekin.errors import Unavailable
from services.projector.jobs.kinds import JobKind
from services.projector.settings import ProjectorSettings


def create_celery(settings: ProjectorSettings, kinds: Mapping[str, JobKind]) -> Celery:
    """A Celery application without tasks: enough to send messages; workers add the tasks."""
    longest = max(kind.kill_s for kind in kinds.values())
    app = Celery("casekin", set_as_current=False)
    app.conf.update(
        broker_url=settings.redis_url,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options={
            # longer than any job: a message comes back by the lease of its job, long before this
            "visibility_timeout": longest + 60,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "health_check_interval": 10,
            "max_retries": 1,
        },
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,  # bounded: the job store counts deliveries
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=600,  # the maps worker compiles before it is up
        worker_soft_shutdown_timeout=3.0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.05, "interval_max": 0.2},
        timezone="UTC",
    )
    return app


class Publisher:
    """Puts jobs on their queues."""

    def __init__(self, app: Celery, kinds: Mapping[str, JobKind]) -> None:
        self._app, self._kinds = app, kinds

    def publish(self, job_id: str, kind: str) -> None:
        """Send the message that makes a worker look at the job; twice does no harm. Raises `Unavailable`."""
        task_id = f"{job_id}/{uuid4().hex[:8]}"
        try:
            self._app.send_task(kind, task_id=task_id, queue=self._kinds[kind].queue, ignore_result=True)
        except (KombuError, OSError) as error:
            raise Unavailable("the job queue (Redis) does not answer; try again", retry_after_s=2) from error

    def close(self) -> None:
        """Close the connections."""
        self._app.close()


def job_of(task_id: Any) -> str:
    """The job that a message is about; the rest of the task's id distinguishes deliveries."""
    return str(task_id).partition("/")[0]
