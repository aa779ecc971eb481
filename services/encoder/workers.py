"""Runs blocking work beside the event loop: a bounded number at once, a bounded number waiting."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from casekin.errors import Unavailable

T = TypeVar("T")
P = TypeVar("P")


class Workers:
    """Threads for decoding and inference, which release the GIL."""

    def __init__(self, *, concurrency: int, waiting: int) -> None:
        self._limiter = CapacityLimiter(concurrency)
        self._concurrency, self._waiting = concurrency, waiting
        self._admitted = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request from before its upload is read until its answer is made.

        Raises `Unavailable` where `concurrency` are worked on and `waiting` wait: each holds its upload in memory.
        """
        if self._admitted >= self._concurrency + self._waiting:
            raise Unavailable(
                f"{self._waiting} requests wait, which is the limit: try again, or run more copies of the encoder",
                retry_after_s=1,
            )
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, run in a thread when one is free."""
        return await to_thread.run_sync(work, limiter=self._limiter)

    async def run_parts(self, work: Callable[[P], T], parts: Sequence[P]) -> list[T]:
        """The results of `work` on `parts`, on all threads, but never more of them queued than can run.

        So a long request takes turns with uploads that come after it instead of keeping them waiting to its end.
        """
        results: dict[int, T] = {}
        remaining = iter(enumerate(parts))

        async def take_turns() -> None:
            for number, part in remaining:
                results[number] = await self.run(partial(work, part))

        turns = min(int(self._limiter.total_tokens), len(parts))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(turns):
                    group.create_task(take_turns())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [results[number] for number in range(len(parts))]
