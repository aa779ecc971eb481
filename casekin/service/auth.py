"""API keys between services."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request

from casekin.contracts.base import USER_HEADER
from casekin.errors import Unauthorized
from casekin.service.settings import ServiceSettings


def require_key(settings: ServiceSettings) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses callers without the key; where none is configured the service is on loopback."""
    expected = settings.api_key.get_secret_value().encode() if settings.api_key else None

    async def check(request: Request) -> None:  # async, as FastAPI runs a sync dependency in a thread of the pool
        if expected is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), expected):
            raise Unauthorized("send the API key as 'Authorization: Bearer KEY'")

    return check


def acting_user(request: Request) -> str:
    """Who the request is made for; ``local`` where nobody signs in."""
    return request.headers.get(USER_HEADER, "local")[:120]
