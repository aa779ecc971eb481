"""The HTTP side of all clients: key, retries, and problem documents back into `casekin.errors`."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx
import stamina
from pydantic import BaseModel, ValidationError

from casekin.contracts.base import USER_HEADER, Contract
from casekin.contracts.problem import Problem
from casekin.errors import ERRORS, CasekinError, Unavailable, Unexpected

C = TypeVar("C", bound=Contract)


class ServiceClient:
    """One service over HTTP; safe to share between threads.

    Every call is idempotent by contract (searching and encoding are pure, cases are keyed by id, jobs by content), so
    an answer that did not come is asked for again, `attempts` times in all. Errors are those of `casekin.errors`:
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
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        if user:
            headers[USER_HEADER] = user
        self._attempts = attempts
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, limits=limits, trust_env=False)

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
        """Whether ``/ready`` says so, asked once."""
        try:
            return self._http.get("/ready", timeout=2.0).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _call(self, method: str, path: str, *, user: str | None = None, **request: Any) -> httpx.Response:
        if user:
            request["headers"] = {**request.get("headers", {}), USER_HEADER: user}
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
            raise Unavailable(f"{self.service} broke off ({type(error).__name__}); ask again") from error

    def _get(self, answer: type[C], path: str, **request: Any) -> C:
        return answer.model_validate_json(self._call("GET", path, **request).content)

    def _send(self, method: str, answer: type[C], path: str, body: BaseModel | None = None, **request: Any) -> C:
        if body is not None:
            request["content"] = body.model_dump_json()
            request["headers"] = {"Content-Type": "application/json"}
        return answer.model_validate_json(self._call(method, path, **request).content)


def _problem(response: httpx.Response, service: str) -> CasekinError:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        kind = Unavailable if response.status_code in (502, 503, 504) else Unexpected
        return kind(f"{service} answered {response.status_code}")
    return ERRORS.get(problem.code, Unexpected)(problem.detail)
