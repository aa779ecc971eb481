"""`ServerIndex`: a Qdrant server or cluster, shared by all copies of the service."""

import secrets
from collections.abc import Iterator, Sequence
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
from services.search.vector_store.payload import columns_of, field_of, payload_key, point_id, to_payload, to_stored
from services.search.vector_store.port import CaseIndex, Hit, Space, StoredCase
from services.search.vector_store.server.case_cache import RememberedCases
from services.search.vector_store.server.client import Remote
from services.search.vector_store.server.collection_config import DEFAULT_OPTIONS, PAYLOAD_INDEXES, ServerOptions
from services.search.vector_store.server.filters import server_filter

EXACT_BELOW = 50_000
"""Cases up to which scanning all is as fast as a graph, and never misses."""
_PAGE = 10_000
_FACET_VALUES = 10_000
_REVISION = "casekin_revision"


class ServerIndex(CaseIndex):
    """Collection ``<name>--<bundle version>``.

    It is read and written by its full name, never through an alias, so that switching one never mixes the latents of
    two models. The revision lies in the collection's metadata, where every copy reads it.
    """

    def __init__(
        self,
        client: QdrantClient,
        name: str,
        version: str,
        clinical: NDArray[np.float64],
        options: ServerOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Make the collection for D = len(clinical) where it is not there; raises `Unavailable`."""
        self._remote = Remote(client)
        self.collection = f"{name}--{version}"
        self._clinical = clinical
        self._options = options
        self._ids: tuple[str, list[CaseId]] | None = None
        self._columns: frozenset[str] = frozenset()
        self._remembered = RememberedCases()
        self._latest = ""
        """The revision last read."""
        self._about = 0
        """How many cases there are, as the last revision read told."""
        self._remote.patiently(self._ensure)
        self.revision()

    def _ensure(self, client: QdrantClient) -> None:
        """Each step is passed over where it is done: what was cut short is finished by the next start."""
        if not client.collection_exists(self.collection):
            asked = self._options.creation(len(self._clinical))
            client.create_collection(self.collection, metadata={_REVISION: "0-new"}, **asked)
        there = client.get_collection(self.collection).payload_schema
        for field, schema in PAYLOAD_INDEXES.items():  # before the first case: a graph without them filters badly
            if field not in there:
                client.create_payload_index(self.collection, field, schema)

    @override
    def revision(self) -> str:
        info = self._remote.ask(lambda client: client.get_collection(self.collection))
        revision = str((info.config.metadata or {}).get(_REVISION, "0-new"))
        found = map(field_of, info.payload_schema)
        self._columns = self._columns.union(field for field in found if is_column(field))
        count = revision.partition("-")[0]
        if count.isdigit():
            self._about = int(count)
        self._latest = revision
        return revision

    @override
    def check_room(self) -> None:
        """The server looks after its own disk, and refuses."""

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
            self._index_columns(columns_of(cases))
            self._change(lambda client: client.upsert(self.collection, points, wait=True))

    def _index_columns(self, columns: set[str]) -> None:
        for column in sorted(columns - self._columns):
            self._remote.ask(partial(self._index_column, payload_key(column)))
            self._columns = self._columns | {column}

    def _index_column(self, key: str, client: QdrantClient) -> None:
        client.create_payload_index(self.collection, key, qm.PayloadSchemaType.KEYWORD, wait=True)

    @override
    def delete(self, ids: Sequence[CaseId]) -> None:
        points = qm.PointIdsList(points=[str(point_id(case_id)) for case_id in ids])
        if ids:
            self._change(lambda client: client.delete(self.collection, points, wait=True))

    def _change(self, operation: Any) -> None:
        """A new revision before, so that none outlives a crash with other contents; and after, for readers between."""
        self._mark("changing")
        self._remote.ask(operation)
        self._mark(str(self.count()))

    def _mark(self, state: str) -> None:
        revision = f"{state}-{secrets.token_hex(6)}"
        self._remote.ask(lambda client: client.update_collection(self.collection, metadata={_REVISION: revision}))

    @override
    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        points = [point_id(case_id) for case_id in ids]
        found = self._fetch(points)
        return [found[point] for point in points if point in found]

    @override
    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        return self._remembered.read(self._latest, points, self._fetch)

    def _fetch(self, points: Sequence[UUID]) -> dict[UUID, StoredCase]:
        records = self._retrieve(points, payload=True, vector=["visual"])
        return {UUID(r.id): to_stored(r.payload, r.vector["visual"]) for r in records}

    @override
    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        records = self._retrieve([point_id(case_id) for case_id in ids], payload=["id", "digest"])
        return {record.payload["id"]: record.payload["digest"] for record in records}

    def _retrieve(self, points: Sequence[UUID], payload: Any, vector: Any = False) -> list[Any]:
        ids = [str(point) for point in points]
        return self._remote.ask(lambda client: client.retrieve(self.collection, ids, payload, vector))

    @override
    def nearest(self, space: Space, vector: list[float], conditions: Sequence[Condition], limit: int) -> list[Hit]:
        exact = space == "weighted" or self._about < EXACT_BELOW
        params = self._options.searching(exact=exact)
        answer = self._remote.ask(
            lambda client: client.query_points(
                self.collection,
                query=vector,
                using=space,
                limit=limit,
                query_filter=server_filter(conditions),
                search_params=params,
                with_payload=False,
                with_vectors=False,
            )
        )
        return [Hit(UUID(str(point.id)), point.score) for point in answer.points]

    @override
    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        if conditions:
            return sorted(self._scroll_ids(conditions))
        revision, kept = self.revision(), self._ids
        if kept is None or kept[0] != revision:
            kept = self._ids = (revision, sorted(self._scroll_ids()))
        return kept[1]

    def _scroll_ids(self, conditions: Sequence[Condition] = ()) -> Iterator[CaseId]:
        offset: Any = None
        asked = {"scroll_filter": server_filter(conditions), "with_payload": ["id"], "with_vectors": False}
        while True:
            records, offset = self._scroll(limit=_PAGE, offset=offset, **asked)
            yield from (record.payload["id"] for record in records)
            if offset is None:
                return

    def _scroll(self, **asked: Any) -> tuple[list[Any], Any]:
        return self._remote.ask(lambda client: client.scroll(self.collection, **asked))

    @override
    def count(self, conditions: Sequence[Condition] = ()) -> int:
        asked = server_filter(conditions)
        return int(self._remote.ask(lambda client: client.count(self.collection, asked, exact=True)).count)

    @override
    def columns(self) -> list[str]:
        return sorted(self._columns)

    @override
    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        limit = most or (max(1, self.count()) if field == "lesion_id" else _FACET_VALUES)
        key, asked = payload_key(field), server_filter(conditions)
        answer = self._remote.ask(lambda client: client.facet(self.collection, key, asked, limit=limit, exact=True))
        return {str(hit.value): hit.count for hit in answer.hits if hit.count}

    @override
    def age_range(self) -> tuple[float, float] | None:
        ends: list[float] = []
        for direction in (qm.Direction.ASC, qm.Direction.DESC):
            order = qm.OrderBy(key="age", direction=direction)
            records, _ = self._scroll(limit=1, order_by=order, with_payload=["age"])
            ends += [float(record.payload["age"]) for record in records]
        return (ends[0], ends[1]) if len(ends) == 2 else None

    def drop(self) -> None:
        """Delete the collection of this bundle with all its cases."""
        self._remote.ask(lambda client: client.delete_collection(self.collection))

    @override
    def close(self) -> None:
        self._remote.close()


def point_alias(client: QdrantClient, alias: str, collection: str) -> None:
    """Make `alias` point to `collection`, in one step where it points elsewhere."""
    there = any(known.alias_name == alias for known in client.get_aliases().aliases)
    old = [qm.DeleteAliasOperation(delete_alias=qm.DeleteAlias(alias_name=alias))] if there else []
    new = qm.CreateAliasOperation(create_alias=qm.CreateAlias(collection_name=collection, alias_name=alias))
    client.update_collection_aliases([*old, new])
