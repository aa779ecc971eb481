"""The encoder over ASGI, on the tiny bundle."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from services.encoder.app import create_app
from services.encoder.settings import EncoderSettings


@pytest.fixture(scope="session")
def encoder_app(tiny_bundle: Path) -> FastAPI:
    return create_app(EncoderSettings(bundle=tiny_bundle))


@pytest.fixture
async def http(encoder_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with LifespanManager(encoder_app) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://encoder") as client:
            yield client
