"""Which workers are alive: each writes a heartbeat to Redis every few seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from casekin.errors import Unavailable

_KEY = "casekin:workers:"


def connect(url: str) -> Redis:
    """A client that fails within seconds and connects again by itself; safe to share between threads."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(ConstantBackoff(0), 1),
        health_check_interval=15,
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what Redis raises into `Unavailable`."""
    try:
        yield
    except RedisError as error:
        kind = type(error).__name__
        raise Unavailable(f"the job store (Redis) does not answer ({kind}); try again", retry_after_s=2) from error


class Heartbeat:
    """Workers by queue and host; one that was silent for `lease_s` counts as dead. Raises `Unavailable`."""

    def __init__(self, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s

    def beat(self, queue: str, host: str) -> None:
        """Record that a worker of `queue` is alive on `host`."""
        with redis_errors():
            self._redis.zadd(_KEY + queue, {host: time.time()})
            self._redis.zremrangebyscore(_KEY + queue, "-inf", time.time() - 86_400)

    def leave(self, queue: str, host: str) -> None:
        """Record that it stops."""
        with redis_errors():
            self._redis.zrem(_KEY + queue, host)

    def hosts(self, queue: str) -> list[str]:
        """Hosts with a live worker of `queue`."""
        with redis_errors():
            found = self._redis.zrangebyscore(_KEY + queue, time.time() - self._lease_s, "+inf")
        return cast("list[str]", found)  # as `connect` asks to decode
