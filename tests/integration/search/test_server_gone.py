"""A Qdrant server that does not answer: named, soon, and over as soon as it is back."""

import time

import pytest
from qdrant_client import QdrantClient

from casekin.errors import Unavailable
from casekin.launcher.ports import free_port
from services.search.vector_store.server.client import Remote


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
