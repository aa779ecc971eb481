"""A Qdrant server that does not answer: named, soon, and over as soon as it is back."""

import time

import grpc  # type: ignore[import-untyped]
import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from casekin.errors import CasekinError, StorageFull, Unavailable, Unexpected
from casekin.launcher.ports import free_port
from services.search.vector_store.server.client import Remote, classified


@pytest.mark.parametrize("grpc", [True, False])
def test_call__of_nobody_is_unavailable(grpc: bool) -> None:
    port = free_port()
    client = QdrantClient(
        url=f"http://127.0.0.1:{port}", grpc_port=port, prefer_grpc=grpc, check_compatibility=False, timeout=2
    )
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Qdrant does not answer") as caught:
        Remote(client).call(lambda known: known.count("cases"))
    assert caught.value.retry_after_s == 2
    assert time.monotonic() - started < 10


def test_call__tries_again_and_goes_on() -> None:
    failures = iter([ConnectionError("gone"), ConnectionError("still gone")])

    def flaky(client: QdrantClient) -> int:
        if (failure := next(failures, None)) is not None:
            raise failure
        return len(client.get_collections().collections)

    assert Remote(QdrantClient(":memory:")).call(flaky) == 0


class Rejected(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A gRPC failure as the client library raises it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


FULL = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"


def over_http(status: int, text: str) -> UnexpectedResponse:
    return UnexpectedResponse(status, "", text.encode(), httpx.Headers())


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Rejected(grpc.StatusCode.UNAVAILABLE, "connection refused"), Unavailable),
        (Rejected(grpc.StatusCode.INTERNAL, FULL), StorageFull),
        (Rejected(grpc.StatusCode.INVALID_ARGUMENT, "value 'No space left on device' is no number"), Unexpected),
        (Rejected(grpc.StatusCode.NOT_FOUND, "no collection"), Unexpected),
        (over_http(503, "busy"), Unavailable),
        (over_http(500, FULL), StorageFull),
        (over_http(400, "value 'No space left on device' is no number"), Unexpected),
    ],
)
def test_failure__is_classified_by_its_status_code(failure: Exception, error: type[CasekinError]) -> None:
    assert type(classified(failure)) is error
