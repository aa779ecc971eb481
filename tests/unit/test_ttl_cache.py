"""The one TTL cache: fresh, stale while it refreshes, one load at a time, and never a lock around a load."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from casekin.errors import Unavailable
from casekin.ttl_cache import TtlCache


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Counts its loads and returns their number; waits at `gate` if told to."""

    def __init__(self) -> None:
        self.loads = 0
        self.gate: threading.Event | None = None
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.loads += 1
        number = self.loads
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return number


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_get__loads_once_while_fresh_and_again_after() -> None:
    clock, source = Clock(), Source()
    cache = TtlCache(source, fresh_s=3, clock=clock)
    assert [cache.get(), cache.get()] == [1, 1]
    clock.now = 3.0
    assert cache.get() == 1
    clock.now = 3.1
    assert cache.get() == 2


def test_get__stale_value_comes_at_once_while_one_thread_refreshes() -> None:
    clock, source = Clock(), Source()
    cache = TtlCache(source, fresh_s=3, stale_s=10, clock=clock)
    cache.get()
    source.gate = threading.Event()
    clock.now = 5.0
    assert [cache.get() for _ in range(5)] == [1] * 5
    until(lambda: source.loads == 2)
    source.gate.set()
    until(lambda: cache.get() == 2)
    assert source.loads == 2


def test_get__waits_for_a_new_value_where_the_old_is_too_old() -> None:
    clock, source = Clock(), Source()
    cache = TtlCache(source, fresh_s=3, stale_s=10, clock=clock)
    cache.get()
    clock.now = 13.1
    assert cache.get() == 2


def test_get__age_counts_from_the_beginning_of_the_load() -> None:
    clock = Clock()

    def load() -> float:
        clock.now += 2  # what it returns was true when it began
        return clock.now

    cache = TtlCache(load, fresh_s=3, clock=clock)
    assert cache.get() == 2
    clock.now = 3.5
    assert cache.get() == 5.5


def test_get__ten_waiters_on_a_hung_service_wait_together() -> None:
    """The lock that was held over HTTP let them take turns: ten timeouts one after the other."""
    calls: list[float] = []

    def hang() -> int:
        calls.append(time.monotonic())
        time.sleep(0.2)
        raise Unavailable("encoder does not answer")

    cache = TtlCache(hang, fresh_s=3)
    together = threading.Barrier(10)

    def wait() -> str:
        together.wait(60)
        with pytest.raises(Unavailable) as caught:
            cache.get()
        return caught.value.detail

    with ThreadPoolExecutor(10) as pool:
        details = list(pool.map(lambda _: wait(), range(10)))
    assert details == ["encoder does not answer"] * 10
    assert len(calls) < 5, "they took turns"  # one call, or some more where the machine is too busy to begin at once


def test_get__forget_and_put_do_not_wait_for_a_load() -> None:
    source = Source()
    source.gate = threading.Event()
    cache = TtlCache(source, fresh_s=3)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get)
        until(lambda: source.loads == 1)
        cache.forget()
        cache.put(7)
        assert (cache.peek(), cache.get()) == (7, 7)
        source.gate.set()
        assert waiting.result(5) == 1
    assert cache.get() == 7, "the load that began before put() does not replace its value"


def test_forget__drops_also_what_is_being_loaded() -> None:
    source = Source()
    source.gate = threading.Event()
    cache = TtlCache(source, fresh_s=3)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(cache.get)
        until(lambda: source.loads == 1)
        cache.forget()
        after = pool.submit(cache.get)
        until(lambda: source.loads == 2)
        source.gate.set()
        assert (before.result(5), after.result(5)) == (1, 2)
    assert cache.peek() == 2


def test_get__an_error_is_not_cached_and_leaves_a_stale_value() -> None:
    clock, source = Clock(), Source()
    cache = TtlCache(source, fresh_s=3, stale_s=10, clock=clock)
    source.error = Unavailable("away")
    with pytest.raises(Unavailable):
        cache.get()
    source.error = None
    assert cache.get() == 2
    source.error, clock.now = Unavailable("away"), 5.0
    assert cache.get() == 2
    until(lambda: source.loads == 3)
    source.error = None
    until(lambda: cache.get() == 4)


def test_reload__joins_the_load_that_runs() -> None:
    source = Source()
    source.gate = threading.Event()
    cache = TtlCache(source, fresh_s=3)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(cache.reload) for _ in range(2)]
        until(lambda: source.loads == 1)
        time.sleep(0.05)
        source.gate.set()
        assert [one.result(5) for one in waiting] == [1, 1]
    assert cache.peek() == 1
    assert cache.reload() == 2
