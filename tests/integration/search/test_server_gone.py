"""A Qdrant server that does not answer: named, soon, and over as soon as it is back."""

import time

import pytest
from qdrant_client import QdrantClient

from casekin.errors import Unavailable
from casekin.launcher.ports import free_port
from services.search.remote import Remote
from services.search.server import ServerIndex
from tests.integration.search.made import CLINICAL, collection


@pytest.mark.parametrize("grpc", [True, False])
def test_ask__of_nobody_is_unavailable(grpc: bool) -> None:
    port = free_port()
    client = QdrantClient(
        url=f"http://127.0.0.1:{port}", grpc_port=port, prefer_grpc=grpc, check_compatibility=False, timeout=2
    )
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Qdrant does not answer") as caught:
        Remote(client).ask(lambda known: known.count("cases"))
    assert caught.value.retry_after_s == 2
    assert time.monotonic() - started < 10


def test_ask__tries_again_and_goes_on() -> None:
    failures = iter([ConnectionError("gone"), ConnectionError("still gone")])

    def flaky(client: QdrantClient) -> int:
        if (failure := next(failures, None)) is not None:
            raise failure
        return len(client.get_collections().collections)

    assert Remote(QdrantClient(":memory:")).ask(flaky) == 0


def test_alias__names_the_first_collection_and_stays() -> None:
    client = QdrantClient(":memory:")
    first = ServerIndex(client, "cases", "v-1", CLINICAL)
    second = ServerIndex(client, "cases", "v-2", CLINICAL)
    first.upsert(collection(5))
    assert [(a.alias_name, a.collection_name) for a in client.get_aliases().aliases] == [("cases", "cases--v-1")]
    assert (first.count(), second.count()) == (5, 0)
    copy = ServerIndex(client, "cases", "v-1", CLINICAL)
    assert (copy.count(), copy.revision()) == (5, first.revision())
