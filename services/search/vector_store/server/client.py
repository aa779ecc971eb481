"""Calls to a Qdrant server: tried again where that is safe, and its faults in the words of `casekin.errors`."""

from collections.abc import Callable
from typing import TypeVar

import grpc  # type: ignore[import-untyped]
import stamina
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from casekin.errors import StorageFull, Unavailable, Unexpected

T = TypeVar("T")
_FAULTS = (grpc.RpcError, ResponseHandlingException, UnexpectedResponse, ConnectionError)
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Remote:
    """One client; a call may be repeated, so it must be idempotent: searches, and writes keyed by id."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._closed = False

    def ask(self, call: Callable[[QdrantClient], T]) -> T:
        """The answer, tried three times within seconds; raises `Unavailable`, `StorageFull`, `Unexpected`."""
        return self._try(call, attempts=3)

    def patiently(self, call: Callable[[QdrantClient], T]) -> T:
        """As `ask`, for the start: a server that starts at the same time gets half a minute."""
        return self._try(call, attempts=10)

    def close(self) -> None:
        """Give the connections back; calls after it are refused."""
        if not self._closed:
            self._closed = True
            self._client.close()

    def _try(self, call: Callable[[QdrantClient], T], attempts: int) -> T:
        if self._closed:
            raise Unavailable("the index is closed; the service is stopping", retry_after_s=2)
        try:
            for attempt in stamina.retry_context(
                on=_may_pass, attempts=attempts, timeout=30, wait_initial=0.05, wait_max=5
            ):
                with attempt:
                    return call(self._client)
        except _FAULTS as error:
            raise _named(error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")


def _may_pass(error: Exception) -> bool:
    if isinstance(error, grpc.RpcError):
        return error.code() in _PASSING
    if isinstance(error, UnexpectedResponse):
        return error.status_code is None or error.status_code >= 500
    return isinstance(error, ResponseHandlingException | ConnectionError)


def _named(error: Exception) -> Exception:
    text = error.details() if isinstance(error, grpc.Call) else str(error)
    if "No space left" in (text or ""):
        return StorageFull(f"Qdrant's disk is full ({text}); free some space and send it again")
    if _may_pass(error):
        return Unavailable(f"Qdrant does not answer ({text})", retry_after_s=2)
    return Unexpected(f"Qdrant refuses ({text}); its version and key must fit")
