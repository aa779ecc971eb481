"""What settings make of a collection on a server; qdrant-client's in-memory mode would ignore all of it."""

import pytest
from pydantic import ValidationError
from qdrant_client import models as qm

from services.search.settings import SearchSettings
from services.search.vector_store.server.collection_config import PAYLOAD_INDEXES, ServerOptions


def test_creation__carries_every_option() -> None:
    options = ServerOptions(shards=6, replicas=3, write_consistency=2, on_disk=True, quantisation="int8")
    asked = options.creation(32)
    assert (asked["shard_number"], asked["replication_factor"], asked["write_consistency_factor"]) == (6, 3, 2)
    assert asked["on_disk_payload"] is True
    vectors: dict[str, qm.VectorParams] = asked["vectors_config"]
    assert {name: (one.size, one.on_disk) for name, one in vectors.items()} == {
        "visual": (32, True),
        "clinical": (32, True),
        "weighted": (64, True),
    }
    quantised = {name for name, one in vectors.items() if one.quantization_config is not None}
    assert quantised == {"visual", "clinical"}, "exact weights are never rounded"


def test_search_params__rescore_a_quantised_graph() -> None:
    plain, quantised = ServerOptions(), ServerOptions(quantisation="int8")
    assert plain.search_params("graph").quantization is None
    rescored = quantised.search_params("graph").quantization
    assert rescored is not None
    assert (rescored.rescore, rescored.oversampling) == (True, 3.0)


@pytest.mark.parametrize("options", [ServerOptions(), ServerOptions(quantisation="int8")])
def test_search_params__follow_the_plan(options: ServerOptions) -> None:
    assert options.search_params("exact") == qm.SearchParams(exact=True)
    assert options.search_params("graph").acorn is None
    assert options.search_params("acorn").acorn == qm.AcornSearchParams(enable=True)


def test_payload_indexes__cover_every_filtered_field() -> None:
    assert set(PAYLOAD_INDEXES) == {"diagnosis", "site", "sex", "evidence", "source", "lesion_id", "age"}


def test_settings__more_acknowledgements_than_replicas_are_refused() -> None:
    with pytest.raises(ValidationError, match="CASEKIN_QDRANT_WRITE_CONSISTENCY is 2, of 1 replicas"):
        SearchSettings(qdrant_write_consistency=2)
    assert SearchSettings(qdrant_replicas=3, qdrant_write_consistency=2).qdrant_write_consistency == 2
