"""Serves hot routes without FastAPI's work per request.

FastAPI matches nested routers, opens exit stacks, resolves dependencies and decodes the body in Python at each request:
0.25 ms of CPU, half of what a search takes. A route marked `direct` keeps its FastAPI declaration, which makes the
OpenAPI document and the types, and is served by one table look-up, one parse by pydantic and one thread.
"""

import asyncio
import contextvars
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from casekin.errors import BadInput, UploadTooLarge
from casekin.service.auth import KeyCheck

E = TypeVar("E", bound=Callable[..., BaseModel])
BODY_BYTES = 8_000_000
"""Of a body with one contract: the largest search has eight latents of 4096 numbers."""
THREADS = 40
"""As many endpoints at once as FastAPI runs."""
_MARK = "_casekin_direct"


def direct(endpoint: E) -> E:
    """Mark a sync endpoint that takes one contract as its body, returns one, and has no dependency but the key."""
    setattr(endpoint, _MARK, True)
    return endpoint


@dataclass(frozen=True)
class DirectRoute:
    """One endpoint with its contract."""

    endpoint: Callable[[Any], BaseModel]
    body: type[BaseModel]
    path: str
    """As the metrics name it."""
    threads: Executor
    """Half as dear a thread hop as anyio's, by which FastAPI runs sync endpoints."""

    async def answer(self, scope: Scope, receive: Receive, check_key: KeyCheck) -> bytes:
        """The JSON of what the endpoint, run in a thread, returns; raises what it raises, as FastAPI on bad input."""
        body = await _json_body(scope, receive, check_key)
        try:
            parsed = self.body.model_validate_json(body)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False)) from None
        context = contextvars.copy_context()  # the log names the request also from the thread
        return await asyncio.get_running_loop().run_in_executor(self.threads, context.run, self._work, parsed)

    def _work(self, parsed: BaseModel) -> bytes:
        return self.endpoint(parsed).model_dump_json().encode()


async def _json_body(scope: Scope, receive: Receive, check_key: KeyCheck) -> bytes:
    kind = length = authorization = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value
        elif name == b"content-length":
            length = value
        elif name == b"authorization":
            authorization = value
    check_key(authorization.decode("latin-1"))
    media_type = kind.partition(b";")[0].strip().lower()
    if media_type != b"application/json":  # which a page of another origin cannot send without asking first
        sent = media_type.decode("latin-1") or "of no stated type"
        raise BadInput(f"the body is {sent}; send application/json")
    if length.isdigit():
        _check_size(int(length))
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadInput("the connection broke off before the end of the body")
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        _check_size(size)
        more = message.get("more_body", False)
    return b"".join(parts)


def _check_size(size: int) -> None:
    if size > BODY_BYTES:
        raise UploadTooLarge(f"the body has {size} bytes; the limit is {BODY_BYTES}")


def direct_routes(routers: Iterable[APIRouter], prefix: str) -> Mapping[tuple[str, str], DirectRoute]:
    """The marked routes of `routers` by method and path; raises TypeError where `direct` does not fit one."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="direct")
    found: dict[tuple[str, str], DirectRoute] = {}
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and getattr(route.endpoint, _MARK, False):
                path = f"{prefix}{router.prefix}{route.path}"
                made = DirectRoute(route.endpoint, _body(route), path, threads)
                found |= {(method, path): made for method in route.methods or ()}
    return found


def _body(route: APIRoute) -> type[BaseModel]:
    names = list(inspect.signature(route.endpoint).parameters)
    hints = typing.get_type_hints(route.endpoint)
    kind = hints.get(names[0]) if len(names) == 1 else None
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or inspect.iscoroutinefunction(route.endpoint):
        raise TypeError(f"{route.path} is marked direct: it must be sync and take one contract")
    if route.dependencies or "{" in route.path:
        raise TypeError(f"{route.path} is marked direct: it must have no parameter in its path and no dependency")
    return kind
