"""How the embedded engine stores an index, and the constants that its behaviour calls for."""

from typing import Any

import qdrant_edge as qe

from services.search.vector_store.named_vectors import sizes
from services.search.vector_store.payload import KEYWORDS
from services.search.vector_store.search_plan import EF, Plan

FLUSH_EVERY = 4096
"""Cases written between two flushes: more make the write-ahead log long, fewer block searches more often."""
READ_CHUNK = 512
"""Cases read by one call: a call holds the interpreter's lock, and no search runs meanwhile."""
CACHED_CASES = 16_384
"""Cases kept in memory: about 50 MB with 32 dimensions."""
OPTIMISED_SHARE = 0.8
"""Share of vectors in a graph below which opening an index builds graphs."""
LOG_SEGMENT_BYTES = 32 << 20
"""Size of one file of the write-ahead log."""
FULL_SCAN_KB = 500
"""Kilobytes of vectors from which on the cases of one payload value are linked among themselves: 4,000 cases of 32
dimensions. With the engine's default of 10,000, a filter that 80,000 of a million pass was scanned, in 50 ms."""
PAYLOAD_INDEXES: dict[str, qe.PayloadSchemaType | qe.KeywordIndexParams] = {
    **dict.fromkeys(KEYWORDS, qe.PayloadSchemaType.Keyword),
    # a lesion has a handful of cases: links between them in the graphs would be useless
    "lesion_id": qe.KeywordIndexParams(enable_hnsw=False),
    "age": qe.PayloadSchemaType.Float,
}
"""By payload field; made before the first case, since a graph built without them loses filtered recall."""
_GRAPH = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=FULL_SCAN_KB)
_NO_GRAPH = qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=1_000_000_000)


def shard_config(D: int) -> qe.EdgeConfig:
    """Configuration of a shard for latents of D dimensions."""
    euclid = {name: qe.EdgeVectorParams(D, qe.Distance.Euclid, hnsw_config=_GRAPH) for name in ("visual", "clinical")}
    dot = qe.EdgeVectorParams(sizes(D)["weighted"], qe.Distance.Dot, hnsw_config=_NO_GRAPH)
    vectors: dict[str, Any] = {**euclid, "weighted": dot}
    return qe.EdgeConfig(vectors=vectors, wal_enabled=True)


def search_params(plan: Plan) -> qe.SearchParams:
    """The engine's parameters for a plan."""
    match plan:
        case "exact":
            return qe.SearchParams(exact=True)
        case "graph":
            return qe.SearchParams(hnsw_ef=EF)
        case "acorn":
            return qe.SearchParams(hnsw_ef=EF, acorn=qe.AcornSearchParams(enable=True))
