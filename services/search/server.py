"""`ServerIndex`: a Qdrant server or cluster, shared by all copies of the service."""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient
from qdrant_client import models as qm
from typing_extensions import override

from casekin.contracts.base import CaseId
from services.search.index import AnyOf, Between, Candidate, CaseIndex, Condition, NoneOf, Space, StoredCase
from services.search.payload import KEYWORDS, point_id, to_payload, to_stored
from services.search.remote import Remote
from services.search.spaces import sizes, stored_vectors

EXACT_BELOW = 50_000
"""Cases up to which scanning all is as fast as a graph, and never misses."""
_PAGE = 10_000
_FACET_VALUES = 10_000
_REVISION = "casekin_revision"


class ServerIndex(CaseIndex):
    """Collection ``<name>--<bundle version>``, and the alias ``<name>`` that tells which one is live.

    This process reads and writes the collection of its own bundle by its full name, so that switching the alias never
    mixes the latents of two models. The revision lies in the collection's metadata, where every copy reads it.
    """

    def __init__(self, client: QdrantClient, name: str, version: str, clinical: NDArray[np.float64]) -> None:
        """Make the collection for D = len(clinical) where it is not there; raises `Unavailable`."""
        self._remote = Remote(client)
        self._alias = name
        self.collection = f"{name}--{version}"
        self._clinical = clinical
        self._ids: tuple[str, list[CaseId]] | None = None
        self._about = 0
        """How many cases there are, as the last revision read told."""
        self._remote.patiently(self._ensure)
        self.revision()

    def _ensure(self, client: QdrantClient) -> None:
        if not client.collection_exists(self.collection):
            self._create(client)
        aliases = client.get_aliases().aliases
        if not any(alias.alias_name == self._alias for alias in aliases):
            alias = qm.CreateAlias(collection_name=self.collection, alias_name=self._alias)
            client.update_collection_aliases([qm.CreateAliasOperation(create_alias=alias)])

    def _create(self, client: QdrantClient) -> None:
        size = sizes(len(self._clinical))
        euclid = {n: qm.VectorParams(size=size[n], distance=qm.Distance.EUCLID) for n in ("visual", "clinical")}
        dot = qm.VectorParams(
            size=size["weighted"], distance=qm.Distance.DOT, hnsw_config=qm.HnswConfigDiff(m=0)
        )  # any weights: no graph fits
        client.create_collection(
            self.collection, vectors_config={**euclid, "weighted": dot}, metadata={_REVISION: "0-new"}
        )
        for field in KEYWORDS:  # before the first case: a graph built without them loses filtered recall
            client.create_payload_index(self.collection, field, qm.PayloadSchemaType.KEYWORD)
        client.create_payload_index(self.collection, "age", qm.PayloadSchemaType.FLOAT)

    @override
    def revision(self) -> str:
        info = self._remote.ask(lambda client: client.get_collection(self.collection))
        revision = str((info.config.metadata or {}).get(_REVISION, "0-new"))
        count = revision.partition("-")[0]
        if count.isdigit():
            self._about = int(count)
        return revision

    @override
    def check_room(self) -> None:
        """The server looks after its own disk, and refuses."""

    @override
    def upsert(self, cases: Sequence[StoredCase]) -> None:
        points = [
            qm.PointStruct(
                id=point_id(stored.case.id),
                vector=dict(stored_vectors(stored.latent, self._clinical)),
                payload=to_payload(stored),
            )
            for stored in cases
        ]
        if points:
            self._change(lambda client: client.upsert(self.collection, points, wait=True))

    @override
    def delete(self, ids: Sequence[CaseId]) -> None:
        points = qm.PointIdsList(points=[point_id(case_id) for case_id in ids])
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
        found = {r.payload["id"]: r for r in self._retrieve(ids, payload=True, vector=["visual"])}
        return [to_stored(found[i].payload, found[i].vector["visual"]) for i in ids if i in found]

    @override
    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        return {r.payload["id"]: r.payload["digest"] for r in self._retrieve(ids, payload=["id", "digest"])}

    def _retrieve(self, ids: Sequence[CaseId], payload: Any, vector: Any = False) -> list[Any]:
        points = [point_id(i) for i in ids]
        return self._remote.ask(lambda client: client.retrieve(self.collection, points, payload, vector))

    @override
    def nearest(
        self, space: Space, vector: list[float], conditions: Sequence[Condition], limit: int
    ) -> list[Candidate]:
        exact = space == "weighted" or self._about < EXACT_BELOW
        params = qm.SearchParams(exact=exact, hnsw_ef=None if exact else 256, acorn=_acorn(not exact))
        answer = self._remote.ask(
            lambda client: client.query_points(
                self.collection,
                query=vector,
                using=space,
                limit=limit,
                query_filter=_filter(conditions),
                search_params=params,
                with_payload=True,
                with_vectors=["visual"],
            )
        )
        return [_candidate(point) for point in answer.points]

    @override
    def ids(self) -> list[CaseId]:
        revision, kept = self.revision(), self._ids
        if kept is None or kept[0] != revision:
            kept = self._ids = (revision, sorted(self._scroll_ids()))
        return kept[1]

    def _scroll_ids(self) -> Iterator[CaseId]:
        offset: Any = None
        while True:
            records, offset = self._scroll(limit=_PAGE, offset=offset, with_payload=["id"], with_vectors=False)
            yield from (record.payload["id"] for record in records)
            if offset is None:
                return

    def _scroll(self, **asked: Any) -> tuple[list[Any], Any]:
        return self._remote.ask(lambda client: client.scroll(self.collection, **asked))

    @override
    def count(self, conditions: Sequence[Condition] = ()) -> int:
        asked = _filter(conditions)
        return int(self._remote.ask(lambda client: client.count(self.collection, asked, exact=True)).count)

    @override
    def facet(self, field: str, conditions: Sequence[Condition] = ()) -> dict[str, int]:
        limit = max(1, self.count()) if field == "lesion_id" else _FACET_VALUES
        asked = _filter(conditions)
        answer = self._remote.ask(lambda client: client.facet(self.collection, field, asked, limit=limit, exact=True))
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
        """Delete the collection of this bundle with all its cases, and the alias where it points there."""
        self._remote.ask(lambda client: client.delete_collection(self.collection))

    @override
    def close(self) -> None:
        self._remote.close()


def _candidate(point: Any) -> Candidate:
    return Candidate(point.payload, point.vector["visual"], point.score)


def _acorn(enable: bool) -> qm.AcornSearchParams | None:
    return qm.AcornSearchParams(enable=True) if enable else None


def _filter(conditions: Sequence[Condition]) -> qm.Filter | None:
    return qm.Filter(must=[_condition(c) for c in conditions]) if conditions else None


def _condition(condition: Condition) -> Any:
    match condition:
        case NoneOf(field, values):
            return qm.Filter(must_not=[qm.FieldCondition(key=field, match=qm.MatchAny(any=list(values)))])
        case AnyOf(field, values, or_unknown):
            asked = qm.FieldCondition(key=field, match=qm.MatchAny(any=list(values)))
        case Between(field, low, high, or_unknown):
            asked = qm.FieldCondition(key=field, range=qm.Range(gte=low, lte=high))
    unknown = qm.IsEmptyCondition(is_empty=qm.PayloadField(key=field))
    return qm.Filter(should=[asked, unknown]) if or_unknown else asked
