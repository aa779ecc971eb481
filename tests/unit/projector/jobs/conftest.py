"""A real Redis-compatible server; tests set moments in it back rather than wait."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from services.projector.jobs.heartbeat import connect
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings

LEASE_S = 30.0
Backdate = Callable[[str], None]


@pytest.fixture
def settings(free_url: Callable[[], str], tmp_path: Path) -> ProjectorSettings:
    """Of a service that delivers a job twice."""
    return ProjectorSettings(redis_url=free_url(), data=tmp_path, lease_s=LEASE_S, deliveries=2, result_lifetime_s=100)


@pytest.fixture
def redis(settings: ProjectorSettings) -> Redis:
    return connect(settings.redis_url)


@pytest.fixture
def store(redis: Redis, settings: ProjectorSettings) -> JobStore:
    return JobStore(redis, settings)


@pytest.fixture
def backdate(redis: Redis) -> Backdate:
    """Set a moment of job ``a`` (its lease, wait or queueing) back beyond every limit."""

    def set_back(field: str) -> None:
        assert redis.hset("casekin:job:a", field, 1) == 0, f"the job has a {field}"

    return set_back
