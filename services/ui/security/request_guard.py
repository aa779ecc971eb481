"""Checks of every request and headers of every answer: against framing, request forgery and DNS rebinding."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casekin.errors import BadInput, CasekinError, Unauthorized, UploadTooLarge
from casekin.service.settings import is_loopback
from services.ui.security.problem_response import refusal

LARGEST_BODY = 36 * 2**20
"""Bytes: an upload of 26 MB as base64 in JSON. The encoder's own limit of 20 MB answers first, with better words."""
SAFE = ("GET", "HEAD", "OPTIONS")
UNCHANGING = ("/_dash-component-suites/", "/assets/", "/dimensions/")
"""Code, styles and images that the model decodes, no patient data: browsers may cache them."""


def policy(script_hashes: Sequence[str]) -> str:
    """The content security policy: only this origin, and inline scripts of these hashes.

    Mantine and plotly set styles on elements, so styles cannot be restricted as tightly as scripts; the WebGL layer of
    plotly compiles its draw calls with ``Function`` and needs 'unsafe-eval' (its strict build is not on PyPI).
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'unsafe-eval' {' '.join(script_hashes)}".strip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """ASGI middleware: security headers on every answer; nothing that may show a patient is cached by the browser."""

    def __init__(self, app: ASGIApp, content_policy: str) -> None:
        self.app = app
        self._fixed = {
            "Content-Security-Policy": content_policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._fixed)
                if not scope["path"].startswith(UNCHANGING):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RequestGuard:
    """ASGI middleware: refuses requests from other sites, to other hosts, or too large.

    Where nobody signs in, `loopback_only`, the requested host must be this machine: a page elsewhere cannot then reach
    it under a name of its own (DNS rebinding), and a reverse proxy cannot open it to a network by accident.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool, largest_body: int = LARGEST_BODY) -> None:
        self.app = app
        self._loopback_only = loopback_only
        self._largest = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        error = self._error(scope, headers)
        if error is not None:
            await refusal(scope, error)(scope, receive, send)
            return
        body = _Body(receive, self._largest)
        try:
            await self.app(scope, body.receive, body.unless_too_large(send))
        except Exception:
            if not body.too_large:
                raise
        if body.too_large:
            await refusal(scope, too_large(self._largest))(scope, receive, send)

    def _error(self, scope: Scope, headers: Headers) -> CasekinError | None:
        host = headers.get("host", "")
        if self._loopback_only and not is_loopback(_hostname(host)):
            return BadInput(f"requested as {host!r}, but without CASEKIN_USERS the page serves this machine only")
        if scope["type"] == "http" and scope["method"] not in SAFE:
            if not _same_origin(headers, host):
                return Unauthorized("the request comes from another site; open the page itself and try there")
            if not headers.get("content-type", "").startswith("application/json"):
                return BadInput("the page accepts application/json only")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._largest:
            return too_large(self._largest)
        return None


def too_large(limit: int) -> UploadTooLarge:
    """The error for a body above `limit` bytes."""
    return UploadTooLarge(f"the request is larger than {limit / 2**20:.0f} MB; an image may have 20 MB")


def _same_origin(headers: Headers, host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # of brackets that hold no address
        return ""


class _Body:
    """A body that is read no further than `limit` bytes: then it seems broken off, and what is answered is dropped.

    Content-Length can be missing, and Dash swallows what is raised while it reads.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.too_large = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self.too_large = self._left < 0
        return {"type": "http.disconnect"} if self.too_large else message

    def unless_too_large(self, send: Send) -> Send:
        async def send_some(message: Message) -> None:
            if not self.too_large:
                await send(message)

        return send_some
