"""How a collection lies on a Qdrant server or cluster: what settings decide, in the words of qdrant-client."""

from dataclasses import dataclass
from typing import Any, Literal

from qdrant_client import models as qm

from services.search.vector_store.named_vectors import sizes
from services.search.vector_store.payload import KEYWORDS

Quantisation = Literal["none", "int8"]
PAYLOAD_INDEXES: dict[str, Any] = {
    **dict.fromkeys(KEYWORDS, qm.PayloadSchemaType.KEYWORD),
    # one lesion has a handful of cases: links between them in the graphs would be built for nothing
    "lesion_id": qm.KeywordIndexParams(type=qm.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "age": qm.PayloadSchemaType.FLOAT,
}
"""By field of the payload."""
RESCORED = 3.0
"""Candidates by int8, as a multiple of those asked for; the exact vectors decide among them."""


@dataclass(frozen=True)
class ServerOptions:
    """Of collections that are made from now on; those that are there stay as they are."""

    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    """Replicas that must have a write before it is acknowledged."""
    on_disk: bool = False
    """Vectors and payloads are read from disk, with the system's cache before it."""
    quantisation: Quantisation = "none"
    """``int8`` searches the presets on a quarter of the memory, and rescores."""

    def creation(self, D: int) -> dict[str, Any]:
        """Arguments of ``create_collection`` for latents of D dimensions."""
        size = sizes(D)
        quantised = self._quantised()
        vectors = {
            name: qm.VectorParams(
                size=size[name], distance=qm.Distance.EUCLID, on_disk=self.on_disk, quantization_config=quantised
            )
            for name in ("visual", "clinical")
        }
        # any weights: no graph fits, and what is scanned exactly must not be rounded
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

    def searching(self, *, exact: bool) -> qm.SearchParams:
        """How to search a space: all of it, or its graph with the filter inside (ACORN), exact vectors at the end."""
        if exact:
            return qm.SearchParams(exact=True)
        rescored = qm.QuantizationSearchParams(rescore=True, oversampling=RESCORED)
        return qm.SearchParams(
            hnsw_ef=256,
            acorn=qm.AcornSearchParams(enable=True),
            quantization=rescored if self.quantisation != "none" else None,
        )

    def _quantised(self) -> qm.ScalarQuantization | None:
        if self.quantisation == "none":
            return None
        return qm.ScalarQuantization(scalar=qm.ScalarQuantizationConfig(type=qm.ScalarType.INT8, always_ram=True))


DEFAULT_OPTIONS = ServerOptions()
"""One server, all in memory."""
