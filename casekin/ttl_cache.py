"""One value that is slow to load, cached for some seconds; no lock is held while it loads."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """Caches what `load` returns. Safe to share between threads.

    Up to `fresh_s` seconds after a load began, callers get its value at once. For `stale_s` seconds more they still get
    it at once, while a thread in the background loads the next one. After that, and where there is no value, callers
    wait for a load. At most one load runs at a time: callers that come meanwhile wait for it together and get its value
    or its error, so a service that does not answer costs all of them one timeout, not one after the other. Errors are
    not cached.
    """

    def __init__(
        self,
        load: Callable[[], T],
        *,
        fresh_s: float,
        stale_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._fresh_s, self._stale_s, self._clock = load, fresh_s, stale_s, clock
        self._lock = threading.Lock()
        """Guards the two fields below; never held while loading."""
        self._cached: tuple[float, T] | None = None
        """When its load began, and the value."""
        self._loading: Future[T] | None = None

    def get(self) -> T:
        """The value, at most ``fresh_s + stale_s`` seconds old; raises what loading raises."""
        with self._lock:
            if self._cached is not None:
                began, value = self._cached
                age = self._clock() - began
                if age <= self._fresh_s:
                    return value
                if age <= self._fresh_s + self._stale_s:
                    if self._loading is None:
                        self._loading = load = Future[T]()
                        threading.Thread(target=self._run, args=(load,), name="ttl-cache", daemon=True).start()
                    return value
        return self.reload()

    def peek(self) -> T | None:
        """The value however old, without loading; none where there is none."""
        with self._lock:
            return None if self._cached is None else self._cached[1]

    def reload(self) -> T:
        """The value of the load that runs, or else of a new one; raises what loading raises."""
        with self._lock:
            load, ours = self._loading, self._loading is None
            if load is None:
                self._loading = load = Future[T]()
        if ours:
            self._run(load)
        return load.result()

    def put(self, value: T) -> None:
        """Cache a value that is known to be current; a load that began before does not replace it."""
        with self._lock:
            self._cached, self._loading = (self._clock(), value), None

    def forget(self) -> None:
        """Drop the value: the next caller gets one whose load began after this call."""
        with self._lock:
            self._cached = self._loading = None

    def _run(self, load: "Future[T]") -> None:
        began = self._clock()
        try:
            value = self._load()
        except BaseException as error:
            self._settle(load)
            load.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._settle(load, (began, value))
            load.set_result(value)

    def _settle(self, load: "Future[T]", cached: tuple[float, T] | None = None) -> None:
        with self._lock:
            if self._loading is not load:  # put() or forget() came meanwhile
                return
            self._loading = None
            if cached is not None:
                self._cached = cached
