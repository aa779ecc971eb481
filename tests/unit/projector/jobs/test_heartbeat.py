"""Heartbeats of workers, and errors of Redis."""

import time

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from casekin.errors import Unavailable
from services.projector.jobs.heartbeat import Heartbeat, connect, redis_errors
from tests.unit.projector.jobs.conftest import LEASE_S


def test_worker__is_alive_while_it_beats_and_on_its_queue_only(redis: Redis) -> None:
    heartbeat = Heartbeat(redis, LEASE_S)
    assert heartbeat.hosts("maps") == []
    heartbeat.beat("maps", "one")
    heartbeat.beat("maps", "two")
    assert sorted(heartbeat.hosts("maps")) == ["one", "two"]
    assert heartbeat.hosts("bulk") == []
    redis.zadd("casekin:workers:maps", {"one": time.time() - 20, "two": time.time() - LEASE_S - 1})
    assert heartbeat.hosts("maps") == ["one"]
    heartbeat.leave("maps", "one")
    assert heartbeat.hosts("maps") == []


def test_worker__that_is_gone_for_a_day_is_forgotten(redis: Redis) -> None:
    redis.zadd("casekin:workers:maps", {"old": time.time() - 86_500, "silent": time.time() - 86_000})
    Heartbeat(redis, LEASE_S).beat("maps", "one")
    assert sorted(redis.zrange("casekin:workers:maps", 0, -1)) == ["one", "silent"]


def test_redis_errors__become_unavailable_and_others_pass() -> None:
    for error in (RedisConnectionError("refused"), ResponseError("no such script")):
        with pytest.raises(Unavailable) as raised, redis_errors():
            raise error
        expected = f"the job store (Redis) does not answer ({type(error).__name__}); try again"
        assert (raised.value.detail, raised.value.retry_after_s) == (expected, 2)
    with pytest.raises(KeyError), redis_errors():
        raise KeyError("ours")


def test_heartbeat__without_redis_is_unavailable() -> None:
    heartbeat = Heartbeat(connect("redis://127.0.0.1:9/0"), 1)
    for call in (
        lambda: heartbeat.beat("maps", "a"),
        lambda: heartbeat.leave("maps", "a"),
        lambda: heartbeat.hosts("maps"),
    ):
        with pytest.raises(Unavailable):
            call()


def test_connection__gives_text_and_fails_within_seconds(redis: Redis) -> None:
    options = redis.connection_pool.connection_kwargs
    assert (options["decode_responses"], options["socket_timeout"], options["socket_connect_timeout"]) == (True, 5, 2)
    assert options["retry"].get_retries() == 1
    assert options["health_check_interval"] == 15
