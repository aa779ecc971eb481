"""How a Qdrant server stores a collection, as the settings say, and the constants that its behaviour calls for."""

from dataclasses import dataclass
from typing import Literal, TypedDict

from qdrant_client import models as qm

from services.search.vector_store.named_vectors import sizes
from services.search.vector_store.payload import KEYWORDS
from services.search.vector_store.search_plan import EF, Plan

Quantisation = Literal["none", "int8"]
SCROLL_PAGE = 10_000
"""Cases that one request of a scroll returns."""
FACET_VALUES = 10_000
"""Values of a field that are counted unless a request limits them; every value of `lesion_id` is."""
CACHED_CASES = 16_384
"""Cases cached per revision: about 50 MB with 32 dimensions."""
FULL_SCAN_KB = 10_000
"""The server's default: 80,000 cases of 32 dimensions, from which on those of one payload value are linked among
themselves in the graph. Another value would rebuild the graphs of collections that are there."""
PAYLOAD_INDEXES: dict[str, qm.PayloadSchemaType | qm.KeywordIndexParams] = {
    **dict.fromkeys(KEYWORDS, qm.PayloadSchemaType.KEYWORD),
    # a lesion has a handful of cases: links between them in the graphs would be useless
    "lesion_id": qm.KeywordIndexParams(type=qm.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "age": qm.PayloadSchemaType.FLOAT,
}
"""By payload field."""
OVERSAMPLING = 3.0
"""Candidates by int8 as a multiple of the limit; the exact vectors decide among them."""


class Creation(TypedDict):
    """Arguments of ``create_collection``."""

    vectors_config: dict[str, qm.VectorParams]
    on_disk_payload: bool
    shard_number: int
    replication_factor: int
    write_consistency_factor: int


@dataclass(frozen=True)
class ServerOptions:
    """Options of new collections; existing ones stay as they are."""

    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    """Replicas that must store a write before it is acknowledged."""
    on_disk: bool = False
    """Read vectors and payloads from disk, through the system's cache."""
    quantisation: Quantisation = "none"
    """``int8`` searches the presets with a quarter of the memory, and rescores."""

    def creation(self, D: int) -> Creation:
        """Arguments of ``create_collection`` for latents of D dimensions."""
        size = sizes(D)
        quantised = self._quantised()
        vectors: dict[str, qm.VectorParams] = {
            name: qm.VectorParams(
                size=size[name], distance=qm.Distance.EUCLID, on_disk=self.on_disk, quantization_config=quantised
            )
            for name in ("visual", "clinical")
        }
        # no graph serves weights that change with each query, and exact search must not see rounded vectors
        no_graph = qm.HnswConfigDiff(m=0)
        vectors["weighted"] = qm.VectorParams(
            size=size["weighted"], distance=qm.Distance.DOT, on_disk=self.on_disk, hnsw_config=no_graph
        )
        return {
            "vectors_config": vectors,
            "on_disk_payload": self.on_disk,
            "shard_number": self.shards,
            "replication_factor": self.replicas,
            "write_consistency_factor": self.write_consistency,
        }

    def search_params(self, plan: Plan) -> qm.SearchParams:
        """The server's parameters for a plan; a quantised graph is rescored with the exact vectors."""
        if plan == "exact":
            return qm.SearchParams(exact=True)
        rescored = qm.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        return qm.SearchParams(
            hnsw_ef=EF,
            acorn=qm.AcornSearchParams(enable=True) if plan == "acorn" else None,
            quantization=rescored if self.quantisation != "none" else None,
        )

    def _quantised(self) -> qm.ScalarQuantization | None:
        if self.quantisation == "none":
            return None
        return qm.ScalarQuantization(scalar=qm.ScalarQuantizationConfig(type=qm.ScalarType.INT8, always_ram=True))


DEFAULT_OPTIONS = ServerOptions()
"""One server, all in memory."""
