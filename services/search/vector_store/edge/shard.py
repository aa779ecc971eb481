"""Calls to one qdrant-edge shard, with its failures as errors of `casekin.errors`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import qdrant_edge as qe

from casekin.errors import StorageFull, Unavailable, Unexpected
from services.search.vector_store.edge.collection_config import (
    OPTIMISED_SHARE,
    PAYLOAD_INDEXES,
    READ_CHUNK,
    shard_config,
)
from services.search.vector_store.edge.folder import IndexFolder


class Shard:
    """One shard of qdrant-edge-py 0.9.

    The engine raises bare `Exception` for every failure, so the cause is read from what it depends on: whether the
    shard is closed, and whether the disk has room for the next file of the write-ahead log.
    """

    def __init__(self, folder: IndexFolder, D: int) -> None:
        """Open the shard of `folder`, or create it for D dimensions with its payload indexes."""
        self._folder = folder
        self._closed = False
        with self._failures():
            self._shard = self._open(D)

    def _open(self, D: int) -> qe.EdgeShard:
        path = str(self._folder.shard)
        if self._folder.has_shard:
            return qe.EdgeShard.load(path, shard_config(D))
        self._folder.shard.mkdir()
        shard = qe.EdgeShard.create(path, shard_config(D))
        for field, schema in PAYLOAD_INDEXES.items():
            shard.update(qe.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        self._folder.mark_created()
        return shard

    def query(self, request: qe.QueryRequest) -> list[qe.ScoredPoint]:
        """Nearest points."""
        with self._failures():
            return self._shard.query(request)

    def count(self, condition: qe.Filter | None = None, *, exact: bool = True) -> int:
        """Number of points that pass."""
        with self._failures():
            return int(self._shard.count(qe.CountRequest(exact=exact, filter=condition)))

    def retrieve(self, points: Sequence[UUID], payload: bool | list[str], vector: bool | list[str]) -> list[qe.Record]:
        """The stored ones of `points`, in calls that are short enough to let searches run between them."""
        records: list[qe.Record] = []
        for start in range(0, len(points), READ_CHUNK):
            with self._failures():
                records += self._shard.retrieve(list(points[start : start + READ_CHUNK]), payload, vector)
        return records

    def scroll(self, **request: Any) -> Iterator[qe.Record]:
        """All points that pass, in the order of their ids; `request` are the fields of a `ScrollRequest`."""
        offset = None
        while True:
            records, offset = self._scroll(qe.ScrollRequest(offset=offset, limit=READ_CHUNK, **request))
            yield from records
            if offset is None:
                return

    def first(self, order: qe.OrderBy, payload: list[str]) -> list[qe.Record]:
        """The first point in an order, or none."""
        return self._scroll(qe.ScrollRequest(limit=1, with_payload=payload, order_by=order))[0]

    def _scroll(self, request: qe.ScrollRequest) -> tuple[list[qe.Record], Any]:
        with self._failures():
            records, offset = self._shard.scroll(request)
        return list(records), offset

    def facet(self, key: str, condition: qe.Filter | None, limit: int) -> dict[str, int]:
        """Number of points that pass by value of a payload key."""
        with self._failures():
            hits = self._shard.facet(qe.FacetRequest(key, limit=limit, exact=True, filter=condition)).hits
        return {str(hit.value): hit.count for hit in hits if hit.count}  # values that are gone remain with 0

    def update(self, operation: qe.UpdateOperation) -> None:
        """Apply an update and force the write-ahead log to disk."""
        with self._failures():
            self._shard.update(operation)
            self._folder.sync_log()

    def indexed_keys(self) -> list[str]:
        """Payload keys that have an index."""
        with self._failures():
            return list(self._shard.info().payload_schema)

    def build_graphs(self, cases: int) -> None:
        """Build the graphs unless they cover most vectors; it blocks every thread, minutes at 100,000 cases."""
        with self._failures():
            if self._shard.info().indexed_vectors_count < OPTIMISED_SHARE * 3 * cases:
                self._shard.optimize()
                self._shard.flush()

    def flush(self) -> None:
        """Write all files of the engine."""
        with self._failures():
            self._shard.flush()

    def close(self) -> None:
        """Flush and close; calls after it raise `Unavailable`."""
        if not self._closed:
            self._closed = True
            self._shard.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, StorageFull):
            raise
        except Exception as error:
            if self._closed:
                raise Unavailable("the index is closed; the service is stopping", retry_after_s=2) from error
            if not self._folder.has_room_to_log():
                raise StorageFull(
                    f"no space left for the index ({error}); free some space and send it again"
                ) from error
            raise Unexpected(f"the index engine failed: {error}") from error


def payload_of(record: qe.Record) -> dict[str, Any]:
    """The payload of a record that was read with payload."""
    assert record.payload is not None
    return record.payload
