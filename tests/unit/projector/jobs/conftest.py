"""A real Redis-compatible server, and settings that make leases short."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from services.projector.jobs.heartbeat import connect
from services.projector.jobs.store import JobStore
from services.projector.settings import ProjectorSettings

LEASE_S = 0.15


@pytest.fixture
def settings(free_url: Callable[[], str], tmp_path: Path) -> ProjectorSettings:
    """With a lease that is shorter than those of service."""
    return ProjectorSettings.model_construct(
        redis_url=free_url(), data=tmp_path, lease_s=LEASE_S, deliveries=2, result_lifetime_s=100
    )


@pytest.fixture
def redis(settings: ProjectorSettings) -> Redis:
    return connect(settings.redis_url)


@pytest.fixture
def store(redis: Redis, settings: ProjectorSettings) -> JobStore:
    return JobStore(redis, settings)
