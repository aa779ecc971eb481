"""The HTTP side of all clients: key, retries, and problem documents back into `casekin.errors`."""

from collections.abc import Iterator
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel, TypeAdapter, ValidationError

from casekin.contracts.base import USER_HEADER, Contract, ServiceUrl, worded
from casekin.contracts.problem import Problem
from casekin.errors import ERRORS, BadInput, CasekinError, Unavailable, Unexpected

C = TypeVar("C", bound=Contract)
_ADDRESS: TypeAdapter[str] = TypeAdapter(ServiceUrl)
_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What a proxy answers while the service behind it is away."""
_PLAIN = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""Characters of a user's name that are sent unchanged in the header; others, as umlauts, are percent-encoded."""


class ServiceClient:
    """One service over HTTP; safe to share between threads.

    Every call is idempotent by contract (searching and encoding are pure, cases are keyed by id, jobs by content), so
    a request without an answer is sent again, `attempts` times in all. Errors are those of `casekin.errors`:
    `Unavailable` where the service cannot be reached, otherwise what its problem document says.
    """

    service = "service"

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        user: str | None = None,
        timeout_s: float = 30.0,
        attempts: int = 3,
    ) -> None:
        """Connect at the first call; raises `BadInput` for an address or a key that no request can carry."""
        headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}
        if user:
            headers[USER_HEADER] = quote(user, safe=_PLAIN)
        self._attempts = attempts
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        address = self._checked_address(url)
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_s, limits=limits, trust_env=False)

    def _checked_address(self, url: str) -> str:
        try:
            address: str = _ADDRESS.validate_python(url)
        except ValidationError as error:
            raise BadInput(f"{self.service}: {worded(error.errors()[0])}") from None
        return address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether ``/ready`` says so, tried once."""
        try:
            return self._http.get("/ready", timeout=2.0).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _call(self, method: str, path: str, *, user: str | None = None, **request: Any) -> httpx.Response:
        if user:
            request["headers"] = {**request.get("headers", {}), USER_HEADER: quote(user, safe=_PLAIN)}
        waits = stamina.retry_context(
            on=Unavailable, attempts=self._attempts, timeout=None, wait_initial=0.1, wait_max=2.0
        )
        for attempt in waits:
            with attempt:
                return self._once(method, path, request)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.service} at {self._http.base_url} does not answer ({error})") from error
        if response.is_success:
            return response
        raise _problem(response, self.service)

    def _lines(self, path: str) -> Iterator[str]:
        """Lines of a stream as they come; ends quietly where it breaks off."""
        try:
            with self._http.stream("GET", path, timeout=httpx.Timeout(5.0, read=30.0)) as response:
                if not response.is_success:
                    response.read()
                    raise _problem(response, self.service)
                yield from response.iter_lines()
        except httpx.HTTPError:
            return

    def _download(self, path: str, sink: BinaryIO) -> None:
        """Write the body of an answer to `sink` as it comes; raises `Unavailable` where it breaks off."""
        try:
            with self._http.stream("GET", path) as response:
                if not response.is_success:
                    response.read()
                    raise _problem(response, self.service)
                for piece in response.iter_bytes():
                    sink.write(piece)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.service} broke off ({type(error).__name__}); try again") from error

    def _get(self, answer: type[C], path: str, **request: Any) -> C:
        return self._parsed(answer, self._call("GET", path, **request))

    def _send(self, method: str, answer: type[C], path: str, body: BaseModel | None = None, **request: Any) -> C:
        if body is not None:
            request["content"] = body.model_dump_json()
            request["headers"] = {"Content-Type": "application/json"}
        return self._parsed(answer, self._call(method, path, **request))

    def _parsed(self, answer: type[C], response: httpx.Response) -> C:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise Unexpected(
                f"{self.service} at {self._http.base_url} answered what is no {answer.__name__} "
                f"({worded(error.errors()[0])}): is another program or another version there?"
            ) from error


def _checked_key(key: str) -> str:
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise BadInput("the API key has a character that no header can carry, or a blank around it; give another key")
    return key


def _problem(response: httpx.Response, service: str) -> CasekinError:
    kind = Unavailable if response.status_code in _AWAY else Unexpected
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return kind(f"{service} answered {response.status_code}")
    return ERRORS.get(problem.code, kind)(problem.detail)
