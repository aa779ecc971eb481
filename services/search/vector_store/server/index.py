"""`ServerIndex`: a Qdrant server or cluster, shared by all copies of the service."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient
from qdrant_client import models as qm
from typing_extensions import override

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import Condition, is_column
from services.search.vector_store.named_vectors import stored_vectors
from services.search.vector_store.payload import (
    columns_to_index,
    field_of,
    payload_key,
    point_id,
    to_payload,
    to_stored,
)
from services.search.vector_store.port import CaseIndex, IndexView, StoredCase, index_name
from services.search.vector_store.server.client import Remote
from services.search.vector_store.server.collection_config import (
    DEFAULT_OPTIONS,
    FACET_VALUES,
    PAYLOAD_INDEXES,
    SCROLL_PAGE,
    ServerOptions,
)
from services.search.vector_store.server.filters import server_filter
from services.search.vector_store.server.view import ServerView

_REVISION = "casekin_revision"


class ServerIndex(CaseIndex):
    """Collection ``<name>--<bundle version>``.

    It is read and written by its full name, never through an alias, so that moving the alias never mixes the latents
    of two models. The revision is stored in the collection's metadata, where every copy of the service reads it.
    """

    def __init__(
        self,
        client: QdrantClient,
        name: str,
        version: str,
        clinical: NDArray[np.float64],
        options: ServerOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Open the collection, or create it for D = len(clinical); raises `Unavailable`."""
        self._remote = Remote(client)
        self.collection = index_name(name, version)
        self._clinical = clinical
        self._options = options
        self._ids: tuple[str, list[CaseId]] | None = None
        self._columns: frozenset[str] = frozenset()
        self._remote.call_patiently(self._ensure)
        self._view = self._new_view("", 0)
        self.view()

    def _ensure(self, client: QdrantClient) -> None:
        """Each step is skipped if it is done, so the next start finishes what was interrupted."""
        if not client.collection_exists(self.collection):
            creation = self._options.creation(len(self._clinical))
            client.create_collection(self.collection, metadata={_REVISION: "0-new"}, **creation)
        indexed = client.get_collection(self.collection).payload_schema
        for field, schema in PAYLOAD_INDEXES.items():  # before the first case: a graph without them filters badly
            if field not in indexed:
                client.create_payload_index(self.collection, field, schema)

    @override
    def view(self) -> IndexView:
        info = self._remote.call(lambda client: client.get_collection(self.collection))
        fields = map(field_of, info.payload_schema)
        self._columns = self._columns.union(field for field in fields if is_column(field))
        revision, known = str((info.config.metadata or {}).get(_REVISION, "0-new")), self._view
        if known.revision == revision:
            return known
        count = revision.partition("-")[0]  # a write in progress marks the collection without a count
        view = self._view = self._new_view(revision, int(count) if count.isdigit() else known.cases)
        return view

    def _new_view(self, revision: str, cases: int) -> ServerView:
        return ServerView(self._remote, self.collection, self._options, self._fetch, revision, cases)

    @override
    def upsert(self, cases: Sequence[StoredCase]) -> None:
        points = [
            qm.PointStruct(
                id=str(point_id(stored.case.id)),
                vector=dict(stored_vectors(stored.latent, self._clinical)),
                payload=to_payload(stored),
            )
            for stored in cases
        ]
        if points:
            self._index_columns(columns_to_index(cases, self._columns))
            self._change(lambda client: client.upsert(self.collection, points, wait=True))

    def _index_columns(self, columns: Sequence[str]) -> None:
        for column in columns:
            self._remote.call(partial(self._index_column, payload_key(column)))
            self._columns = self._columns | {column}

    def _index_column(self, key: str, client: QdrantClient) -> None:
        client.create_payload_index(self.collection, key, qm.PayloadSchemaType.KEYWORD, wait=True)

    @override
    def delete(self, ids: Sequence[CaseId]) -> None:
        points = qm.PointIdsList(points=[str(point_id(case_id)) for case_id in ids])
        if ids:
            self._change(lambda client: client.delete(self.collection, points, wait=True))

    def _change(self, operation: Callable[[QdrantClient], object]) -> None:
        """Change the revision before and after: none survives a crash with other contents, nor serves reads between."""
        self._mark("changing")
        self._remote.call(operation)
        self._mark(str(self.count()))

    def _mark(self, state: str) -> None:
        revision = f"{state}-{secrets.token_hex(6)}"
        self._remote.call(lambda client: client.update_collection(self.collection, metadata={_REVISION: revision}))

    @override
    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        points = [point_id(case_id) for case_id in ids]
        found = self._fetch(points)  # from the server: a cached case may be older than the last write
        return [found[point] for point in points if point in found]

    def _fetch(self, points: Sequence[UUID]) -> dict[UUID, StoredCase]:
        records = self._retrieve(points, payload=True, vector=["visual"])
        return {UUID(str(r.id)): to_stored(r.payload or {}, _vectors(r)["visual"]) for r in records}

    @override
    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        records = self._retrieve([point_id(case_id) for case_id in ids], payload=["id", "digest"])
        payloads = (record.payload or {} for record in records)
        return {payload["id"]: payload["digest"] for payload in payloads}

    def _retrieve(
        self, points: Sequence[UUID], payload: bool | list[str], vector: bool | list[str] = False
    ) -> list[qm.Record]:
        ids = [str(point) for point in points]
        return self._remote.call(lambda client: client.retrieve(self.collection, ids, payload, vector))

    @override
    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        if conditions:
            return sorted(self._scroll_ids(conditions))
        revision, cached = self.revision(), self._ids
        if cached is None or cached[0] != revision:
            cached = self._ids = (revision, sorted(self._scroll_ids()))
        return cached[1]

    def _scroll_ids(self, conditions: Sequence[Condition] = ()) -> Iterator[CaseId]:
        offset: Any = None
        condition = server_filter(conditions)
        while True:
            records, offset = self._remote.call(
                partial(self._scroll, offset=offset, limit=SCROLL_PAGE, scroll_filter=condition, with_payload=["id"])
            )
            yield from ((record.payload or {})["id"] for record in records)
            if offset is None:
                return

    def _scroll(self, client: QdrantClient, **request: Any) -> tuple[list[qm.Record], Any]:
        return client.scroll(self.collection, with_vectors=False, **request)

    @override
    def count(self, conditions: Sequence[Condition] = ()) -> int:
        condition = server_filter(conditions)
        return self._remote.call(lambda client: client.count(self.collection, condition, exact=True)).count

    @override
    def columns(self) -> list[str]:
        return sorted(self._columns)

    @override
    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        limit = most or (max(1, self.count()) if field == "lesion_id" else FACET_VALUES)
        key, condition = payload_key(field), server_filter(conditions)
        answer = self._remote.call(
            lambda client: client.facet(self.collection, key, condition, limit=limit, exact=True)
        )
        return {str(hit.value): hit.count for hit in answer.hits if hit.count}

    @override
    def age_range(self) -> tuple[float, float] | None:
        ends: list[float] = []
        for direction in (qm.Direction.ASC, qm.Direction.DESC):
            order = qm.OrderBy(key="age", direction=direction)
            records, _ = self._remote.call(partial(self._scroll, limit=1, order_by=order, with_payload=["age"]))
            ends += [float((record.payload or {})["age"]) for record in records]
        return (ends[0], ends[1]) if len(ends) == 2 else None

    def drop(self) -> None:
        """Delete the collection of this bundle with all its cases."""
        self._remote.call(lambda client: client.delete_collection(self.collection))

    @override
    def close(self) -> None:
        self._remote.close()


def point_alias(client: QdrantClient, alias: str, collection: str) -> None:
    """Make `alias` point to `collection`, in one step if it points elsewhere."""
    exists = any(known.alias_name == alias for known in client.get_aliases().aliases)
    old = [qm.DeleteAliasOperation(delete_alias=qm.DeleteAlias(alias_name=alias))] if exists else []
    new = qm.CreateAliasOperation(create_alias=qm.CreateAlias(collection_name=collection, alias_name=alias))
    client.update_collection_aliases([*old, new])


def _vectors(record: qm.Record) -> dict[str, Any]:
    return record.vector if isinstance(record.vector, dict) else {}
