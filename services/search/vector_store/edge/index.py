"""`EdgeIndex`: Qdrant's engine inside this process, on a folder, without a server."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as qe
from numpy.typing import NDArray
from typing_extensions import override

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import Condition, is_column
from services.search.vector_store.edge.case_cache import WriteThroughCache
from services.search.vector_store.edge.case_table import CaseTable
from services.search.vector_store.edge.collection_config import CACHED_CASES, FLUSH_EVERY
from services.search.vector_store.edge.filters import edge_filter
from services.search.vector_store.edge.folder import IndexFolder
from services.search.vector_store.edge.shard import Shard, payload_of
from services.search.vector_store.edge.view import EdgeView, by_point
from services.search.vector_store.named_vectors import Space, stored_vectors
from services.search.vector_store.payload import columns_to_index, field_of, payload_key, point_id, to_payload
from services.search.vector_store.port import CaseIndex, IndexView, StoredCase
from services.search.vector_store.search_plan import EXACT_BELOW


class EdgeIndex(CaseIndex):
    """One shard that only one process may open.

    Calls to the engine hold the interpreter's lock, so each is atomic for the other threads; only writes, which take
    several calls, need a lock. An update is durable once the write-ahead log is: the engine replays it at start.
    """

    def __init__(self, folder: Path, clinical: NDArray[np.float64], *, reserve_bytes: int = 0) -> None:
        """Open or create the index in `folder` for D = len(clinical); `Conflict` if another process has it open."""
        self._clinical = clinical
        self._writing = threading.Lock()
        self._cache = WriteThroughCache()
        self._folder = IndexFolder(folder, reserve_bytes)
        try:
            self._shard = Shard(self._folder, len(clinical))
            self._count = self._shard.count()
            fields = map(field_of, self._shard.indexed_keys())
            self._columns = frozenset(field for field in fields if is_column(field))
        except BaseException:
            self._folder.release()
            raise
        self._unflushed = 0
        self._closed = False
        self._ids: tuple[str, list[CaseId]] | None = None
        self._table = "", CaseTable([])
        if self._count >= EXACT_BELOW:
            self._shard.build_graphs(self._count)
        self._folder.read_ahead()
        if self._count <= CACHED_CASES:  # a larger index would be read through for nothing
            self._cache.keep(by_point(list(self._shard.scroll(with_payload=True, with_vector=["visual"]))))
        self._view = self._new_view()

    @override
    def view(self) -> IndexView:
        if self._view.revision != self._revision:
            self._view = self._new_view()
        return self._view

    @property
    def _revision(self) -> str:
        return f"{self._count}-{self._folder.counter}"

    def _new_view(self) -> EdgeView:
        return EdgeView(self._shard, self._cache, self._revision, self._count)

    @override
    def upsert(self, cases: Sequence[StoredCase]) -> None:
        written = {point_id(stored.case.id): stored for stored in cases}
        points = [
            qe.Point(point, _by_name(stored_vectors(stored.latent, self._clinical)), to_payload(stored))
            for point, stored in written.items()
        ]
        self._index_columns(columns_to_index(cases, self._columns))
        self._update(qe.UpdateOperation.upsert_points(points), list(written), written)

    def _index_columns(self, columns: Sequence[str]) -> None:
        for column in columns:
            with self._writing:
                self._shard.update(
                    qe.UpdateOperation.create_field_index(payload_key(column), qe.PayloadSchemaType.Keyword)
                )
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
            self._folder.reserve.check()
            self._cache.forget(points)
            with self._folder.changing():
                self._shard.update(operation)
                self._count = self._shard.count()
            self._cache.keep(written)
            self._unflushed += len(points)
            if self._unflushed >= FLUSH_EVERY:
                self._shard.flush()
                self._unflushed = 0

    @override
    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        points = [point_id(case_id) for case_id in ids]
        return [stored for stored in self.view().read(points) if stored is not None]

    @override
    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        records = self._shard.retrieve([point_id(case_id) for case_id in ids], payload=["id", "digest"], vector=False)
        return {payload["id"]: payload["digest"] for payload in map(payload_of, records)}

    @override
    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        if conditions:
            return self._sorted_ids(conditions)
        revision, cached = self._revision, self._ids
        if cached is None or cached[0] != revision:
            cached = self._ids = (revision, self._sorted_ids())
        return cached[1]

    def _sorted_ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        records = self._shard.scroll(filter=edge_filter(conditions), with_payload=["id"], with_vector=False)
        return sorted(payload_of(record)["id"] for record in records)

    @override
    def count(self, conditions: Sequence[Condition] = ()) -> int:
        if not conditions:
            return self._count
        table = self._case_table()
        return table.count(conditions) if table else self._shard.count(edge_filter(conditions))

    def _case_table(self) -> CaseTable | None:
        """The columns of all cases at the current revision; none if not all are cached, as during a write."""
        revision = self._revision  # read before the cases: the next call replaces a table that a later write got into
        if self._table[0] != revision:
            if not len(self._cache) or len(self._cache) != self._count or self._closed:
                return None
            self._table = revision, CaseTable([stored.case for stored in self._cache.all()])
        return self._table[1]

    @override
    def columns(self) -> list[str]:
        return sorted(self._columns)

    @override
    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        if (table := self._case_table()) is not None:
            counts = table.facet(field, conditions)
            frequent = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
            return dict(frequent[:most])
        return self._shard.facet(payload_key(field), edge_filter(conditions), limit=most or max(1, self._count))

    @override
    def age_range(self) -> tuple[float, float] | None:
        ends = []
        for direction in (qe.Direction.Asc, qe.Direction.Desc):
            records = self._shard.first(qe.OrderBy("age", direction), payload=["age"])
            ends += [float(payload_of(record)["age"]) for record in records]
        return (ends[0], ends[1]) if len(ends) == 2 else None

    @override
    def close(self) -> None:
        with self._writing:
            if not self._closed:
                self._closed = True
                self._table = "", CaseTable([])
                self._shard.close()
                self._folder.release()


def _by_name(vectors: dict[Space, list[float]]) -> dict[str, Any]:
    return {str(space): vector for space, vector in vectors.items()}
