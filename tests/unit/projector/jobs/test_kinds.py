"""Limits of a kind of job."""

from services.projector.jobs.kinds import QUEUES, JobKind


def test_kind__is_killed_ten_seconds_after_its_limit() -> None:
    assert JobKind("x", "maps", limit_s=60, max_retries=3).kill_s == 70


def test_queues__are_one_for_each_pace() -> None:
    assert QUEUES == ("interactive", "maps", "bulk")
