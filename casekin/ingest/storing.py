"""Sends encoded cases to search in batches, beside the encoding."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from casekin.clients import SearchClient
from casekin.contracts.search import CaseBatch
from casekin.errors import CasekinError
from casekin.ingest.encoding import FATAL, Encoded, skipped
from casekin.ingest.outcome import Kind, Outcome

BATCH = 64
"""Cases a request."""
BATCH_BYTES = 32 * 2**20
"""Images a request, if that is reached first."""
WAITING = 2
"""Batches that may be under way before encoding has to wait."""


class BatchWriter:
    """Gathers cases, stores them in the background, and tells their outcome once they are durable."""

    def __init__(self, search: SearchClient, bundle_version: str, tell: Callable[[Outcome], None]) -> None:
        self._search, self._bundle_version, self._tell = search, bundle_version, tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="storing")
        self._under_way: deque[Future[list[Outcome]]] = deque()
        self._batch: list[Encoded] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def add(self, encoded: Encoded) -> None:
        """Store `encoded` with the next batch; raises what stopped an earlier one."""
        self._batch.append(encoded)
        self._bytes += len(encoded.image)
        if len(self._batch) >= BATCH or self._bytes >= BATCH_BYTES:
            self._send()
            self._collect(down_to=WAITING)

    def flush(self) -> None:
        """Store what is left and wait until all is durable."""
        if self._batch:
            self._send()
        self._collect(down_to=0)

    def _send(self) -> None:
        self._under_way.append(self._thread.submit(self._store, self._batch))
        self._batch, self._bytes = [], 0

    def _collect(self, *, down_to: int) -> None:
        while self._under_way and (len(self._under_way) > down_to or self._under_way[0].done()):
            for outcome in self._under_way.popleft().result():
                self._tell(outcome)

    def _store(self, batch: list[Encoded]) -> list[Outcome]:
        """Store `batch`; where a case is refused, its halves are tried, so that the others of it are stored."""
        try:
            cases = CaseBatch(bundle_version=self._bundle_version, cases=[encoded.upload for encoded in batch])
            self._search.put_cases(cases, {encoded.upload.case.id: encoded.image for encoded in batch})
        except FATAL:
            raise
        except CasekinError as error:
            if len(batch) == 1:
                return [skipped(batch[0].upload.case.id, error)]
            middle = len(batch) // 2
            return self._store(batch[:middle]) + self._store(batch[middle:])
        return [Outcome(encoded.upload.case.id, Kind.INGESTED, reason=encoded.note) for encoded in batch]
