"""Signing in by HTTP Basic: an interim before OpenID Connect."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from casekin.errors import Unauthorized
from services.ui.security.passwords import PasswordHash
from services.ui.security.problem_response import refusal

OPEN = ("/health", "/ready", "/metrics")
"""Probes need no name and tell nothing of patients."""
ACTING: ContextVar[str | None] = ContextVar("acting", default=None)
"""The name behind the request at hand, for callbacks, which see no request; none where nobody signs in."""
REMEMBERED_S = 300.0
REMEMBERED = 256


class PasswordCheck:
    """Checks names and passwords; a right pair is remembered for five minutes, as a keyed digest.

    Without that every image on the page would cost an scrypt. At most two run at once, so that guessing cannot take
    the machine's memory.
    """

    def __init__(
        self, users: Mapping[str, PasswordHash], *, most: int = REMEMBERED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._users, self._most, self._clock = users, most, clock
        self._nobody = PasswordHash.of(os.urandom(16).hex())
        self._key = os.urandom(32)
        self._good: OrderedDict[bytes, float] = OrderedDict()
        """By digest of name and password, until when they are remembered."""
        self._turns = asyncio.Semaphore(2)

    async def user(self, authorization: str) -> str | None:
        """The name behind the header, or none where name or password are wrong."""
        name, password = _credentials(authorization)
        seen = hmac.digest(self._key, f"{name}\0{password}".encode(), hashlib.sha256)
        if self._good.get(seen, 0.0) > self._clock():
            return name
        hashed = self._users.get(name)
        async with self._turns:
            right = await asyncio.to_thread((hashed or self._nobody).matches, password)
        if not right or hashed is None:
            return None
        self._good.pop(seen, None)  # the newest stands last, and the oldest is dropped first
        self._good[seen] = self._clock() + REMEMBERED_S
        while len(self._good) > self._most:
            self._good.popitem(last=False)
        return name


class SignIn:
    """ASGI middleware: asks for name and password, and notes the name in the request's state."""

    def __init__(self, app: ASGIApp, users: Mapping[str, PasswordHash]) -> None:
        self.app = app
        self._check = PasswordCheck(users)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask or pass on."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        user = await self._check.user(HTTPConnection(scope).headers.get("authorization", ""))
        if user is None:
            await _ask(scope)(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user
        ACTING.set(user)
        await self.app(scope, receive, send)


def signed_in(request: Request) -> str | None:
    """The name under which the request was made; none where nobody signs in."""
    return getattr(request.state, "user", None)


def _ask(scope: Scope) -> Response:
    error = Unauthorized("sign in with the name and password that your administrator gave you")
    return refusal(scope, error, {"WWW-Authenticate": 'Basic realm="Casekin", charset="UTF-8"'})


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
