"""`EdgeIndex`: Qdrant's engine inside this process, on a folder, without a server."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as qe
from numpy.typing import NDArray
from typing_extensions import override

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import Condition, is_column
from casekin.errors import StorageFull, Unavailable, Unexpected
from services.search.vector_store.edge.case_cache import MOST, HeldCases
from services.search.vector_store.edge.filters import edge_filter
from services.search.vector_store.edge.folder import IndexFolder
from services.search.vector_store.named_vectors import sizes, stored_vectors
from services.search.vector_store.payload import (
    KEYWORDS,
    columns_of,
    field_of,
    payload_key,
    point_id,
    to_payload,
    to_stored,
)
from services.search.vector_store.port import CaseIndex, Hit, Space, StoredCase

EXACT_BELOW = 50_000
"""Cases up to which scanning all is as fast as a graph, and never misses."""
_FLUSH_EVERY = 4096
"""Cases written between two flushes: more make the write-ahead log long, fewer stop the searches more often."""
_PAGE = 5000
_PAYLOAD_INDEXES: dict[str, Any] = {
    **dict.fromkeys(KEYWORDS, qe.PayloadSchemaType.Keyword),
    # one lesion has a handful of cases: links between them in the graphs would be built for nothing
    "lesion_id": qe.KeywordIndexParams(enable_hnsw=False),
    "age": qe.PayloadSchemaType.Float,
}
"""Made before the first case: a graph that was built without them loses filtered recall."""
_NO_GRAPH = qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=1_000_000_000)
_GRAPH = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=500)
"""The threshold, in kilobytes of vectors, is also from how many cases on those of one value (of a site, say) get links
among themselves: 4,000 with 32 dimensions. By the engine's own 10,000 a filter that 80,000 of a million pass was
scanned, in 50 ms."""
_DENSE = 0.05
"""Share of the cases above which a filtered search of the graph finds its way by those links alone: of 200,000 cases
recall@10 is 0.99 to 1.00 in 1 ms where 6 to 54 % pass, and 0.82 to 0.96 where 1.6 to 3.4 % pass two or three conditions
at once."""
_EF = 256


class EdgeIndex(CaseIndex):
    """One shard of qdrant-edge-py 0.9; one process may have it open.

    Its calls hold the interpreter's lock, so each is atomic to the other threads; only what takes several calls, the
    writes, needs a lock of its own. An update is on disk when the write-ahead log is: the engine replays it at start.
    """

    def __init__(self, folder: Path, clinical: NDArray[np.float64], *, reserve_bytes: int = 0) -> None:
        """Open or create the index in `folder` for D = len(clinical); `Conflict` where another process has it."""
        self._clinical = clinical
        self._writing = threading.Lock()
        self._held = HeldCases()
        self._folder = IndexFolder(folder, reserve_bytes)
        try:
            with _engine():
                self._shard = self._open()
                self._count = self._shard.count(qe.CountRequest(exact=True))
                known = map(field_of, self._shard.info().payload_schema)
                self._columns = frozenset(field for field in known if is_column(field))
        except BaseException:
            self._folder.release()
            raise
        self._unflushed = 0
        self._closed = False
        self._ids: tuple[str, list[CaseId]] | None = None
        self._optimise()
        self._folder.read_ahead()
        if self._count <= MOST:  # a larger one would be read through for nothing
            self._held.keep(self._all())

    def _open(self) -> qe.EdgeShard:
        D = len(self._clinical)
        euclid = {
            name: qe.EdgeVectorParams(D, qe.Distance.Euclid, hnsw_config=_GRAPH) for name in ("visual", "clinical")
        }
        dot = qe.EdgeVectorParams(sizes(D)["weighted"], qe.Distance.Dot, hnsw_config=_NO_GRAPH)
        config = qe.EdgeConfig(vectors={**euclid, "weighted": dot}, wal_enabled=True)
        if self._folder.has_shard:
            return qe.EdgeShard.load(str(self._folder.shard), config)
        self._folder.shard.mkdir()
        shard = qe.EdgeShard.create(str(self._folder.shard), config)
        for field, schema in _PAYLOAD_INDEXES.items():
            shard.update(qe.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        self._folder.mark_created()
        return shard

    def _optimise(self) -> None:
        # optimize() stops every thread of the process for minutes at 100,000 cases: only before the first request.
        if self._count >= EXACT_BELOW and self._shard.info().indexed_vectors_count < 0.8 * 3 * self._count:
            with _engine():
                self._shard.optimize()
                self._shard.flush()

    @override
    def revision(self) -> str:
        return f"{self._count}-{self._folder.counter}"

    @override
    def check_room(self) -> None:
        self._folder.check_room()

    @override
    def upsert(self, cases: Sequence[StoredCase]) -> None:
        written = {point_id(stored.case.id): stored for stored in cases}
        points = [
            qe.Point(point, _named(stored_vectors(stored.latent, self._clinical)), to_payload(stored))
            for point, stored in written.items()
        ]
        self._index_columns(columns_of(cases))
        self._update(qe.UpdateOperation.upsert_points(points), list(written), written)

    def _index_columns(self, columns: set[str]) -> None:
        for column in sorted(columns - self._columns):
            with self._writing, _engine():
                index = qe.UpdateOperation.create_field_index(payload_key(column), qe.PayloadSchemaType.Keyword)
                self._shard.update(index)
            self._columns = self._columns | {column}

    @override
    def delete(self, ids: Sequence[CaseId]) -> None:
        points = [point_id(case_id) for case_id in ids]
        self._update(qe.UpdateOperation.delete_points([*points]), points, {})

    def _update(
        self, operation: qe.UpdateOperation, points: Sequence[UUID], written: Mapping[UUID, StoredCase]
    ) -> None:
        if not points:
            return
        with self._writing:
            self._folder.check_room()
            self._held.forget(points)
            with self._folder.changing(), _engine():
                self._shard.update(operation)
                self._folder.sync_log()
                self._count = self._shard.count(qe.CountRequest(exact=True))
            self._held.keep(written)
            self._unflushed += len(points)
            if self._unflushed >= _FLUSH_EVERY:
                with _engine():
                    self._shard.flush()
                self._unflushed = 0

    @override
    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        points = [point_id(case_id) for case_id in ids]
        return [stored for stored in self.read(points) if stored is not None]

    @override
    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        if (held := self._held.all_of(points)) is not None:
            return [*held]
        found = _stored(self._retrieve(points, payload=True, vector=["visual"]))
        return [found.get(point) for point in points]

    def _all(self) -> dict[UUID, StoredCase]:
        cases: dict[UUID, StoredCase] = {}
        offset = None
        while True:
            records, offset = self._scroll(
                qe.ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=["visual"])
            )
            cases |= _stored(records)
            if offset is None:
                return cases

    @override
    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        records = self._retrieve([point_id(case_id) for case_id in ids], payload=["id", "digest"])
        return {record.payload["id"]: record.payload["digest"] for record in records}

    def _retrieve(self, points: Sequence[UUID], payload: Any, vector: Any = False) -> list[Any]:
        with _engine():
            return list(self._shard.retrieve(list(points), payload, vector))

    @override
    def nearest(self, space: Space, vector: list[float], conditions: Sequence[Condition], limit: int) -> list[Hit]:
        asked = edge_filter(conditions)
        request = qe.QueryRequest(
            limit=limit,
            query=qe.Query.Nearest(vector, space),
            filter=asked,
            with_payload=False,
            with_vector=False,
            params=self._how(space, asked),
        )
        with _engine():
            points: list[Any] = self._shard.query(request)
        return [Hit(point.id, point.score) for point in points]

    def _how(self, space: Space, asked: qe.Filter | None) -> qe.SearchParams:
        """All that pass, or the graph: with a filter that few pass by steps over cases that do not (ACORN)."""
        if self._count < EXACT_BELOW or space == "weighted":
            return qe.SearchParams(exact=True)
        if asked is None:
            return qe.SearchParams(hnsw_ef=_EF)
        with _engine():
            about = self._shard.count(qe.CountRequest(exact=False, filter=asked))
        if about >= _DENSE * self._count:
            return qe.SearchParams(hnsw_ef=_EF)
        if about < EXACT_BELOW:
            return qe.SearchParams(exact=True)
        return qe.SearchParams(hnsw_ef=_EF, acorn=qe.AcornSearchParams(enable=True))

    @override
    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        if conditions:
            return sorted(self._scroll_ids(conditions))
        revision, kept = self.revision(), self._ids
        if kept is None or kept[0] != revision:
            kept = self._ids = (revision, sorted(self._scroll_ids()))
        return kept[1]

    def _scroll_ids(self, conditions: Sequence[Condition] = ()) -> Iterator[CaseId]:
        offset, asked = None, edge_filter(conditions)
        while True:
            records, offset = self._scroll(
                qe.ScrollRequest(offset=offset, limit=_PAGE, filter=asked, with_payload=["id"], with_vector=False)
            )
            yield from (record.payload["id"] for record in records)
            if offset is None:
                return

    def _scroll(self, request: qe.ScrollRequest) -> tuple[list[Any], Any]:
        with _engine():
            records, offset = self._shard.scroll(request)
        return list(records), offset

    @override
    def count(self, conditions: Sequence[Condition] = ()) -> int:
        if not conditions:
            return self._count
        with _engine():
            return int(self._shard.count(qe.CountRequest(exact=True, filter=edge_filter(conditions))))

    @override
    def columns(self) -> list[str]:
        return sorted(self._columns)

    @override
    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        limit = most or max(1, self._count)
        request = qe.FacetRequest(payload_key(field), limit=limit, exact=True, filter=edge_filter(conditions))
        with _engine():
            hits = list(self._shard.facet(request))
        return {str(hit.value): hit.count for hit in hits if hit.count}  # values that are gone stay with 0

    @override
    def age_range(self) -> tuple[float, float] | None:
        ends = []
        for direction in (qe.Direction.Asc, qe.Direction.Desc):
            order = qe.OrderBy("age", direction)
            records, _ = self._scroll(qe.ScrollRequest(limit=1, with_payload=["age"], order_by=order))
            ends += [float(record.payload["age"]) for record in records]
        return (ends[0], ends[1]) if len(ends) == 2 else None

    @override
    def close(self) -> None:
        with self._writing:
            if not self._closed:
                self._closed = True
                self._shard.close()  # flushes
                self._folder.release()


@contextmanager
def _engine() -> Iterator[None]:
    """The engine raises bare exceptions: name those that an operator can do something about."""
    try:
        yield
    except (OSError, StorageFull):
        raise
    except Exception as error:
        text = str(error)
        if "No space left" in text or "os error 28" in text:
            raise StorageFull(f"the index cannot grow ({text}); free some space and send it again") from error
        if "not initialized" in text:
            raise Unavailable("the index is closed; the service is stopping", retry_after_s=2) from error
        raise Unexpected(f"the index engine failed: {text}") from error


def _stored(records: Sequence[Any]) -> dict[UUID, StoredCase]:
    return {record.id: to_stored(record.payload, record.vector["visual"]) for record in records}


def _named(vectors: dict[Space, list[float]]) -> dict[str, Any]:
    return {str(space): vector for space, vector in vectors.items()}
