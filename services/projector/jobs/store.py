"""Jobs in Redis: their payload, progress, lease and end."""

from datetime import UTC, datetime
from typing import Any, Literal, cast

from redis import Redis

from casekin.contracts.problem import Problem
from casekin.contracts.projector import Job, JobState, Progress
from casekin.errors import NotFound, Unexpected
from casekin.service.problems import describe
from services.projector.jobs import lua_scripts
from services.projector.jobs.heartbeat import redis_errors
from services.projector.settings import ProjectorSettings

_JOB, _LIVE, _RECENT = "casekin:job:", "casekin:jobs:live", "casekin:jobs:recent"
_REMEMBER = 7
"""Jobs are remembered this many result lifetimes, so that a request for an expired result says that it expired."""


class JobStore:
    """Jobs by id; each change is one atomic step, so any number of API processes and workers can share it.

    Every method raises `Unavailable` while Redis does not answer.
    """

    def __init__(self, redis: Redis, settings: ProjectorSettings) -> None:
        self._redis = redis
        self._lease_ms = int(settings.lease_s * 1000)
        self._keep_s = int(settings.result_lifetime_s * _REMEMBER)
        self._deliveries = settings.deliveries
        names = ("SUBMIT", "CLAIM", "RENEW", "REPORT", "FINISH", "DEFER", "DUE", "CANCEL", "ABANDON", "REMIND")
        self._scripts = {name: redis.register_script(getattr(lua_scripts, name)) for name in names}

    def ping(self) -> None:
        """Raise `Unavailable` unless Redis answers."""
        with redis_errors():
            self._redis.ping()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def submit(self, job_id: str, kind: str, payload: str, *, result_there: bool) -> tuple[Job, bool]:
        """Add a job unless it is live, or its result is stored; returns it and whether it is new."""
        answer = self._run("SUBMIT", job_id, job_id, kind, payload, int(result_there), self._keep_s)
        return self.job(job_id), answer == "new"

    def job(self, job_id: str) -> Job:
        """The job as it is now; raises `NotFound`."""
        with redis_errors():
            fields = cast("dict[str, str]", self._redis.hgetall(_JOB + job_id))
        if not fields:
            raise NotFound(f"no job {job_id[:64]!r}; jobs are forgotten {self._keep_s / 3600:.3g} hours after they end")
        return _read(fields)

    def kind(self, job_id: str) -> str | None:
        """The kind of a job; none where it is unknown."""
        with redis_errors():
            return cast("str | None", self._redis.hget(_JOB + job_id, "kind"))

    def recent(self, limit: int, state: JobState | None = None) -> list[Job]:
        """The jobs submitted last, newest first; only those of a `state`, if one is given."""
        with redis_errors():
            ids = cast("list[str]", self._redis.zrevrange(_RECENT, 0, -1 if state else limit - 1))
            pipe = self._redis.pipeline(transaction=False)
            for job_id in ids:
                pipe.hgetall(_JOB + job_id)
            found = [_read(fields) for fields in pipe.execute() if fields]
        return [job for job in found if state in (None, job.state)][:limit]

    def claim(self, job_id: str, token: str) -> str | None:
        """Claim the job for the delivery `token`; its payload, or none where it is final or claimed by another."""
        payload = self._run("CLAIM", job_id, token, self._lease_ms, self._deliveries, self._keep_s, self._parked())
        return None if payload is None else str(payload)

    def renew(self, job_id: str, token: str) -> JobState | None:
        """Renew the lease of the delivery `token`; the job's state, none if it is unknown."""
        state = self._run("RENEW", job_id, token, self._lease_ms)
        return JobState(state) if state else None

    def report(self, job_id: str, token: str, progress: Progress) -> bool:
        """Store progress and renew the lease; false where `token` does not hold the job any more."""
        remaining = "" if progress.remaining_s is None else f"{progress.remaining_s:.1f}"
        fields = (f"{progress.fraction:.4f}", progress.message, remaining)
        return bool(self._run("REPORT", job_id, token, self._lease_ms, *fields))

    def finish(self, job_id: str, token: str, state: JobState, problem: Problem | None = None) -> bool:
        """Close the job; false where `token` does not hold it any more."""
        why = problem.model_dump_json() if problem else ""
        return bool(self._run("FINISH", job_id, token, state.value, self._keep_s, why))

    def defer(self, job_id: str, token: str, *, wait_s: float, tries: int, message: str) -> bool:
        """Requeue the job after a wait, twice as long each time; false where that was done `tries` times."""
        return bool(self._run("DEFER", job_id, token, int(wait_s * 1000), tries, message))

    def is_due(self, job_id: str) -> bool:
        """Whether a deferred job's wait is over; true once."""
        return bool(self._run("DUE", job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel the job unless it is final, or release a parked one; raises `NotFound`."""
        self._run("CANCEL", job_id, self._keep_s)
        return self.job(job_id)

    def abandon(self, job_id: str, token: str = "") -> JobState | None:
        """Requeue a job whose worker died (delivery `token`, else any whose lease expired), or park it after too many.

        Returns queued, parked, or none where there was nothing to do.
        """
        state = self._run("ABANDON", job_id, token, self._deliveries, self._keep_s, self._parked())
        return JobState(state) if state else None

    def remind(self, job_id: str, older_s: float) -> bool:
        """Whether the job has been queued for longer than that; true once per that time."""
        return bool(self._run("REMIND", job_id, int(older_s * 1000)))

    def live(self) -> list[tuple[str, str]]:
        """Id and kind of every job that is not final."""
        with redis_errors():
            ids = sorted(cast("set[str]", self._redis.smembers(_LIVE)))
            kinds = [(job_id, cast("str | None", self._redis.hget(_JOB + job_id, "kind"))) for job_id in ids]
            if forgotten := [job_id for job_id, kind in kinds if kind is None]:
                self._redis.srem(_LIVE, *forgotten)
        return [(job_id, kind) for job_id, kind in kinds if kind is not None]

    def waiting(self, queue: str) -> int:
        """Messages on a Celery queue that no worker has taken."""
        with redis_errors():
            return int(self._redis.llen(queue))

    def _run(self, script: str, job_id: str, *arguments: str | int) -> Any:
        with redis_errors():
            return self._scripts[script](keys=[_JOB + job_id, _LIVE, _RECENT], args=arguments)

    def _parked(self) -> str:
        problem = Unexpected(
            f"the job lost its worker {self._deliveries} times and is parked: the workers' log may say why; "
            "cancel it to let the same work be submitted again"
        )
        return describe(problem).model_dump_json()


def _read(fields: dict[str, str]) -> Job:
    state = JobState(fields["state"])
    remaining = fields.get("remaining")
    return Job(
        id=fields["id"],
        kind=fields["kind"],
        state=state,
        progress=Progress(
            fraction=float(fields["fraction"]),
            message=fields["message"] or state.value,
            remaining_s=float(remaining) if remaining else None,
        ),
        created=_moment(fields, "created") or datetime.now(UTC),
        started=_moment(fields, "started"),
        finished=_moment(fields, "finished"),
        result=f"/v1/jobs/{fields['id']}/result" if state is JobState.SUCCEEDED else None,
        problem=Problem.model_validate_json(fields["problem"]) if "problem" in fields else None,
    )


def _moment(fields: dict[str, str], name: Literal["created", "started", "finished"]) -> datetime | None:
    return datetime.fromtimestamp(int(fields[name]) / 1000, UTC) if name in fields else None
