"""The pipeline: bytes -> digest -> latent -> batch, bounded at each step.

Nothing is remembered on this side: what is stored already is asked of search by digest, so a run that was stopped,
killed or unplugged goes on where it was, and a second run changes nothing.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from casekin.clients import EncoderClient, SearchClient
from casekin.collections import LoadedCollection, Row
from casekin.errors import Conflict
from casekin.ingest.describing import described
from casekin.ingest.encoding import BugStop, Encoded, encode_row
from casekin.ingest.outcome import Kind, Outcome, Summary
from casekin.ingest.storing import BatchWriter

T = TypeVar("T")
R = TypeVar("R")
ASKED_AT_ONCE = 4096
"""Digests a request."""


def default_workers() -> int:
    """Two requests a core keep the encoder busy while others travel."""
    return 2 * (os.cpu_count() or 1)


class Ingest:
    """Brings collections in through the encoder and search."""

    def __init__(
        self,
        encoder: EncoderClient,
        search: SearchClient,
        *,
        workers: int | None = None,
        pace: Callable[[], None] = lambda: None,
    ) -> None:
        """`workers` images are under way at once; `pace` is called before each is encoded and may wait."""
        self._encoder, self._search, self._pace = encoder, search, pace
        self._workers = workers or default_workers()

    def run(
        self,
        collection: LoadedCollection,
        tell: Callable[[Outcome], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Ingest all rows; `tell` hears of each image as it ends, an ingested one when it is durable.

        Setting `stop` ends it after what is under way. Raises what would befall every further image: `Unavailable`,
        `Unauthorized`, `StorageFull`, `Conflict` where encoder and search are of different bundles.
        """
        summary, stop = Summary(), stop or threading.Event()

        def note(outcome: Outcome) -> None:
            summary.add(outcome)
            tell(outcome)

        version = self._prepared(collection)
        for fault in collection.skipped:
            note(Outcome(fault.id, Kind.SKIPPED, fault.code, fault.reason))
        bugs = BugStop()
        with BatchWriter(self._search, version, note) as writer:
            for result in self._encoded(collection.rows, version, stop):
                bugs.watch(result)
                if isinstance(result, Encoded):
                    writer.add(result)
                else:
                    note(result)
            writer.flush()
        summary.interrupted = summary.done < len(collection.rows) + len(collection.skipped)
        return summary

    def _prepared(self, collection: LoadedCollection) -> str:
        """Check that both services fit each other and describe the collection; returns the bundle's version."""
        version = self._encoder.model().manifest.version
        before = self._search.collection()
        if before.bundle_version != version:
            raise Conflict(
                f"the encoder serves bundle {version}, search holds cases of {before.bundle_version}; start the "
                "encoder with that bundle, or have `casekin index reindex --switch` bring the cases over"
            )
        info = described(before, collection.info)
        if info != before.info:
            self._search.describe_collection(info)
        return version

    def _encoded(self, rows: list[Row], version: str, stop: threading.Event) -> Iterator[Encoded | Outcome]:
        def encode(job: tuple[Row, str | None]) -> Encoded | Outcome:
            row, known = job
            return encode_row(row, known, self._encoder, version, self._pace)

        def jobs() -> Iterator[tuple[Row, str | None]]:
            for start in range(0, len(rows), ASKED_AT_ONCE):
                chunk = rows[start : start + ASKED_AT_ONCE]
                known = self._search.digests([row.case.id for row in chunk])
                for row in chunk:
                    if stop.is_set():
                        return
                    yield row, known.get(row.case.id)

        with ThreadPoolExecutor(self._workers, thread_name_prefix="encoding") as pool:
            yield from in_order(pool, encode, jobs(), ahead=3 * self._workers)


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], jobs: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Results of `work` on `jobs` in their order; at most `ahead` are under way or waiting to be taken."""
    under_way: deque[Future[R]] = deque()
    try:
        for job in jobs:
            under_way.append(pool.submit(work, job))
            if len(under_way) >= ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
