"""Calls to a Qdrant server: retried where that is safe, with its failures as errors of `casekin.errors`."""

from collections.abc import Callable
from typing import TypeVar

import grpc  # type: ignore[import-untyped]
import stamina
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from casekin.errors import CasekinError, StorageFull, Unavailable, Unexpected

T = TypeVar("T")
_FAILURES = (grpc.RpcError, ResponseHandlingException, UnexpectedResponse, ConnectionError)
_TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
_DISK_FULL = "No space left on device"
"""Qdrant reports a full disk as an internal error without a code of its own; this begins its message, in
`lib/collection/src/shards/local_shard` and in the operating system's error."""


class Remote:
    """One client; a call may be repeated, so it must be idempotent: searches, and writes keyed by id."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._closed = False

    def call(self, function: Callable[[QdrantClient], T]) -> T:
        """The result of `function`, tried up to three times within seconds.

        Raises `Unavailable`, `StorageFull`, `Unexpected`.
        """
        return self._try(function, attempts=3)

    def call_patiently(self, function: Callable[[QdrantClient], T]) -> T:
        """`call` for the start: a server that starts at the same time gets half a minute."""
        return self._try(function, attempts=10)

    def close(self) -> None:
        """Close the connections; calls after it raise `Unavailable`."""
        if not self._closed:
            self._closed = True
            self._client.close()

    def _try(self, function: Callable[[QdrantClient], T], attempts: int) -> T:
        if self._closed:
            raise Unavailable("the index is closed; the service is stopping", retry_after_s=2)
        try:
            for attempt in stamina.retry_context(
                on=_is_transient, attempts=attempts, timeout=30, wait_initial=0.05, wait_max=5
            ):
                with attempt:
                    return function(self._client)
        except _FAILURES as error:
            raise classified(error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")


def classified(error: Exception) -> CasekinError:
    """The error of the closed list for a failure of the client, by its type and status code."""
    text = error.details() if isinstance(error, grpc.Call) else str(error)
    if _is_internal(error) and _DISK_FULL in (text or ""):
        return StorageFull(f"Qdrant's disk is full ({text}); free some space and send it again")
    if _is_transient(error):
        return Unavailable(f"Qdrant does not answer ({text})", retry_after_s=2)
    return Unexpected(f"Qdrant refuses ({text}); its version and key must fit")


def _is_transient(error: Exception) -> bool:
    if isinstance(error, grpc.RpcError):
        return error.code() in _TRANSIENT
    if isinstance(error, UnexpectedResponse):
        return error.status_code is None or error.status_code >= 500
    return isinstance(error, ResponseHandlingException | ConnectionError)


def _is_internal(error: Exception) -> bool:
    if isinstance(error, grpc.RpcError):
        return bool(error.code() == grpc.StatusCode.INTERNAL)
    return isinstance(error, UnexpectedResponse) and error.status_code == 500
