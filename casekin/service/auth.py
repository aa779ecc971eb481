"""API keys between services."""

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from fastapi import Request

from casekin.contracts.base import USER_HEADER
from casekin.errors import Unauthorized
from casekin.service.settings import ServiceSettings

KeyCheck = Callable[[str], None]
"""Raises `Unauthorized` where the Authorization header, empty if there is none, is not of the key."""


def key_check(settings: ServiceSettings) -> KeyCheck:
    """What refuses callers without the key; where none is configured the service is on loopback and all may call."""
    expected = settings.api_key.get_secret_value().encode() if settings.api_key else None

    def check(authorization: str) -> None:
        if expected is None:
            return
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), expected):
            raise Unauthorized("send the API key as 'Authorization: Bearer KEY'")

    return check


def require_key(check: KeyCheck) -> Callable[[Request], Awaitable[None]]:
    """`check` as a FastAPI dependency."""

    async def required(request: Request) -> None:  # async, as FastAPI runs a sync dependency in a thread of the pool
        check(request.headers.get("authorization", ""))

    return required


def acting_user(request: Request) -> str:
    """Who the request is made for; ``local`` where nobody signs in."""
    return unquote(request.headers.get(USER_HEADER, "local"))[:120]
