"""Send encoded cases to search in batches, while others are being encoded."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from casekin.clients import SearchClient
from casekin.contracts.cases import CaseBatch, CaseBatchReceipt
from casekin.errors import CasekinError
from casekin.ingest.encoding import FATAL, Encoded, skipped
from casekin.ingest.outcome import Kind, Outcome

BATCH = 64
"""Cases per request."""
BATCH_BYTES = 32 * 2**20
"""Bytes of images per request, if that is reached first."""
ID_TAKEN = "id-taken"
"""Code of a case whose id a case of another collection has."""
MAX_PENDING = 2
"""Batches that may be under way before encoding has to wait."""


class BatchWriter:
    """Collects cases, stores them in the background, and calls `on_outcome` once they are durable."""

    def __init__(
        self,
        search: SearchClient,
        bundle_version: str,
        on_outcome: Callable[[Outcome], None],
        *,
        take_over: bool = False,
    ) -> None:
        """With `take_over`, cases of other collections that have the same id are replaced, and not kept."""
        self._search, self._bundle_version, self._on_outcome = search, bundle_version, on_outcome
        self._take_over = take_over
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="storing")
        self._pending: deque[Future[list[Outcome]]] = deque()
        self._batch: list[Encoded] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def add(self, encoded: Encoded) -> None:
        """Store `encoded` with the next batch; raises the error of an earlier batch."""
        self._batch.append(encoded)
        self._bytes += len(encoded.image)
        if len(self._batch) >= BATCH or self._bytes >= BATCH_BYTES:
            self._send()
            self._collect(down_to=MAX_PENDING)

    def flush(self) -> None:
        """Store the last batch and wait until all are durable."""
        if self._batch:
            self._send()
        self._collect(down_to=0)

    def _send(self) -> None:
        self._pending.append(self._thread.submit(self._store, self._batch))
        self._batch, self._bytes = [], 0

    def _collect(self, *, down_to: int) -> None:
        while self._pending and (len(self._pending) > down_to or self._pending[0].done()):
            for outcome in self._pending.popleft().result():
                self._on_outcome(outcome)

    def _store(self, batch: list[Encoded]) -> list[Outcome]:
        """Store `batch`; where search refuses it, store its halves apart, so that only the bad case is skipped."""
        try:
            cases = CaseBatch(
                bundle_version=self._bundle_version,
                cases=[encoded.upload for encoded in batch],
                take_over=self._take_over,
            )
            receipt = self._search.put_cases(cases, {encoded.upload.case.id: encoded.image for encoded in batch})
        except FATAL:
            raise
        except CasekinError as error:
            if len(batch) == 1:
                return [skipped(batch[0].upload.case.id, error)]
            middle = len(batch) // 2
            return self._store(batch[:middle]) + self._store(batch[middle:])
        return [_outcome(encoded, receipt) for encoded in batch]


def _outcome(encoded: Encoded, receipt: CaseBatchReceipt) -> Outcome:
    case = encoded.upload.case
    if owner := receipt.taken.get(case.id):
        reason = f"collection {owner!r} has a case of this id already, and this one is of {case.collection!r}"
        return Outcome(case.id, Kind.SKIPPED, ID_TAKEN, f"{reason}; change one of the ids, or ingest with --take-over")
    return Outcome(case.id, Kind.REPLACED if case.id in receipt.replaced else Kind.INGESTED, reason=encoded.note)
