"""The ingest pipeline: image bytes, digest, latent, batch, with bounded queues in between.

It keeps no state of its own: search knows by digest what is stored already, so a run that was stopped, killed or
unplugged resumes where it was, and a second run changes nothing.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from casekin.clients import EncoderClient, SearchClient
from casekin.collections import LoadedCollection, Row
from casekin.contracts.collection import Collection
from casekin.errors import Conflict
from casekin.ingest.encoding import BugStop, Encoded, encode_row
from casekin.ingest.merge import merged_info
from casekin.ingest.outcome import Kind, Outcome, Summary
from casekin.ingest.storing import BatchWriter

T = TypeVar("T")
R = TypeVar("R")
DIGESTS_PER_REQUEST = 4096


def default_workers() -> int:
    """Two requests a core keep the encoder busy while others travel."""
    return 2 * (os.cpu_count() or 1)


class Ingest:
    """Ingests collections through the encoder and search."""

    def __init__(
        self,
        encoder: EncoderClient,
        search: SearchClient,
        *,
        workers: int | None = None,
        pace: Callable[[], None] = lambda: None,
        take_over: bool = False,
    ) -> None:
        """Encode up to `workers` images at once; `pace` is called before each and may wait, to limit the rate.

        With `take_over`, cases of other collections that have the same id are replaced; otherwise the new ones are
        skipped.
        """
        self._encoder, self._search, self._pace, self._take_over = encoder, search, pace, take_over
        self._workers = workers or default_workers()

    def run(
        self,
        collection: LoadedCollection,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Ingest all rows; call `on_outcome` for each image as it ends, for an ingested one once it is durable.

        Setting `stop` finishes the images under way and starts no more. Raises the errors that would meet every further
        image: `Unavailable`, `Unauthorized`, `StorageFull`, and `Conflict` where encoder and search have different
        bundles.
        """
        summary, stop = Summary(), stop or threading.Event()

        def record(outcome: Outcome) -> None:
            if summary.is_empty and outcome.kind is not Kind.SKIPPED:
                self._describe(collection, before)  # not where nothing of it is in
            summary.add(outcome)
            on_outcome(outcome)

        before = self._checked()
        version = before.bundle_version
        for fault in collection.skipped:
            record(Outcome(fault.id, Kind.SKIPPED, fault.code, fault.reason))
        bugs = BugStop()
        with BatchWriter(self._search, version, record, take_over=self._take_over) as writer:
            for result in self._encoded(_labelled(collection), version, stop):
                bugs.watch(result)
                if isinstance(result, Encoded):
                    writer.add(result)
                else:
                    record(result)
            writer.flush()
        summary.interrupted = summary.done < len(collection.rows) + len(collection.skipped)
        return summary

    def _checked(self) -> Collection:
        """The collection as it is; raises `Conflict` where search and the encoder have different bundles."""
        version = self._encoder.model().manifest.version
        before = self._search.collection()
        if before.bundle_version != version:
            raise Conflict(
                f"the encoder serves bundle {version}, search holds cases of {before.bundle_version}; start the "
                "encoder with that bundle, or have `casekin index reindex --switch` bring the cases over"
            )
        return before

    def _describe(self, collection: LoadedCollection, before: Collection) -> None:
        """Tell search of the collection; `before` is what there was when its ingest began."""
        current = self._search.collection().info
        is_new = before.cases == 0 and current == before.info
        info = merged_info(None if is_new else current, collection.info)
        if info != current:
            self._search.describe_collection(info)

    def _encoded(self, rows: list[Row], version: str, stop: threading.Event) -> Iterator[Encoded | Outcome]:
        def encode(job: tuple[Row, str | None]) -> Encoded | Outcome:
            row, known = job
            return encode_row(row, known, self._encoder, version, self._pace)

        def jobs() -> Iterator[tuple[Row, str | None]]:
            for start in range(0, len(rows), DIGESTS_PER_REQUEST):
                chunk = rows[start : start + DIGESTS_PER_REQUEST]
                known = self._search.digests([row.case.id for row in chunk])
                for row in chunk:
                    if stop.is_set():
                        return
                    yield row, known.get(row.case.id)

        with ThreadPoolExecutor(self._workers, thread_name_prefix="encoding") as pool:
            yield from in_order(pool, encode, jobs(), ahead=3 * self._workers)


def _labelled(collection: LoadedCollection) -> list[Row]:
    """The rows, each case with the title of its collection."""
    title = collection.info.title
    return [replace(row, case=row.case.model_copy(update={"collection": title})) for row in collection.rows]


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], jobs: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Yield the results of `work` on `jobs` in order; at most `ahead` are running or waiting to be taken."""
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
