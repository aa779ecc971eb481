"""The ASGI middleware around every service: request id, direct routes, problem documents, one log line, metrics."""

import os
import time
from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casekin.service.auth import KeyCheck
from casekin.service.direct import DirectRoute
from casekin.service.metrics import Metrics
from casekin.service.problems import problem_response

PROBES = frozenset(("/health", "/ready", "/metrics"))
"""Paths that are called every few seconds: neither logged nor counted."""
_UNMATCHED = "none"


class RequestFrame:
    """Plain ASGI: what every request needs costs some 30 microseconds here.

    The log gets one line a request, when its answer ends; never a body, a header or a query string.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: str,
        metrics: Metrics,
        direct: Mapping[tuple[str, str], DirectRoute],
        check_key: KeyCheck,
        paths: Mapping[int, str],
    ) -> None:
        self.app, self.metrics, self.direct, self.check_key = app, metrics, direct, check_key
        self.paths = paths
        """By ``id`` of a route, the full path template: the route knows only the part within its router."""
        self.log = structlog.get_logger(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request; it is logged and counted even where the application raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = os.urandom(6).hex()
        header = (b"x-request-id", request_id.encode())
        scope.setdefault("state", {})["request_id"] = request_id
        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        route = self.direct.get((scope["method"], scope["path"]))
        try:
            if route is None:
                await self.app(scope, receive, send_and_note)
            else:
                await _send_json(await route.answer(scope, receive, self.check_key), send_and_note)
        except Exception as error:
            # Starlette would answer outside of this middleware, where the answer gets no request id.
            if status:
                raise
            await problem_response(Request(scope), error)(scope, receive, send_and_note)
        finally:
            if scope["path"] not in PROBES:
                seconds = time.perf_counter() - started
                template = self._template(scope) if route is None else route.path
                self.metrics.observe(template, scope["method"], status, seconds)
                ms = round(seconds * 1000, 1)
                self.log.info("request", method=scope["method"], path=scope["path"], status=status, ms=ms)
            structlog.contextvars.reset_contextvars(**tokens)

    def _template(self, scope: Scope) -> str:
        """The route's path with its parameters unfilled, so that a metric has few values; ``none`` without a route."""
        route = scope.get("route")
        return str(self.paths.get(id(route)) or getattr(route, "path", _UNMATCHED))


async def _send_json(body: bytes, send: Send) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
