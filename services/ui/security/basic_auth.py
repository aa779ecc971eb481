"""Sign-in by HTTP Basic authentication: an interim solution before OpenID Connect."""

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
"""Probes need no sign-in and show nothing of patients."""
CURRENT_USER: ContextVar[str | None] = ContextVar("current_user", default=None)
"""Who made the current request, for callbacks, which see no request; none where nobody signs in."""
CACHED_S = 300.0
MOST_CACHED = 256


class PasswordCheck:
    """Checks names and passwords; a valid pair is cached for five minutes, as a keyed digest.

    Without the cache every image on the page would cost one scrypt. At most two run at once, so that guessing cannot
    exhaust the machine's memory.
    """

    def __init__(
        self, users: Mapping[str, PasswordHash], *, most: int = MOST_CACHED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._users, self._most, self._clock = users, most, clock
        self._nobody = PasswordHash.of(os.urandom(16).hex())
        self._key = os.urandom(32)
        self._valid: OrderedDict[bytes, float] = OrderedDict()
        """Expiry by digest of name and password, on the clock."""
        self._slots = asyncio.Semaphore(2)

    async def user(self, authorization: str) -> str | None:
        """The user of an ``Authorization`` header, or none where name or password are wrong."""
        name, password = _credentials(authorization)
        digest = hmac.digest(self._key, f"{name}\0{password}".encode(), hashlib.sha256)
        if self._valid.get(digest, 0.0) > self._clock():
            return name
        hashed = self._users.get(name)
        async with self._slots:
            is_valid = await asyncio.to_thread((hashed or self._nobody).matches, password)
        if not is_valid or hashed is None:
            return None
        self._valid.pop(digest, None)  # the newest stands last, and the oldest is dropped first
        self._valid[digest] = self._clock() + CACHED_S
        while len(self._valid) > self._most:
            self._valid.popitem(last=False)
        return name


class BasicAuth:
    """ASGI middleware: requires name and password, and puts the name into the request's state."""

    def __init__(self, app: ASGIApp, users: Mapping[str, PasswordHash]) -> None:
        self.app = app
        self._check = PasswordCheck(users)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Require sign-in, or pass the request on."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        user = await self._check.user(HTTPConnection(scope).headers.get("authorization", ""))
        if user is None:
            await _challenge(scope)(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user
        CURRENT_USER.set(user)
        await self.app(scope, receive, send)


def signed_in(request: Request) -> str | None:
    """Who made the request; none where nobody signs in."""
    return getattr(request.state, "user", None)


def _challenge(scope: Scope) -> Response:
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
