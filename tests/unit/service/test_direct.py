"""A direct route answers as FastAPI's would: key, contracts, problem documents, request id, metrics; only quicker."""

import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, Field, SecretStr

from casekin.errors import NotFound
from casekin.service.app import create_service
from casekin.service.direct import BODY_BYTES, direct, direct_routes
from casekin.service.settings import ServiceSettings

KEY = "a-secret-of-enough-letters"


class Number(BaseModel):
    """A body and an answer."""

    latent: float = Field(lt=100, allow_inf_nan=False)
    thread: str = ""


def made(*, quick: bool, **settings: Any) -> FastAPI:
    def half(body: Number) -> Number:
        if body.latent == 13:
            raise NotFound("no half of 13")
        if body.latent == 7:
            raise RuntimeError("the patient is called Smith")
        return Number(latent=body.latent / 2, thread=threading.current_thread().name)

    router = APIRouter()
    router.post("/half")(direct(half) if quick else half)
    return create_service("trial", ServiceSettings(**settings), [router], ready=lambda: None)


def client(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)


JSON = {"content-type": "application/json"}
BODIES: dict[str, tuple[bytes, int]] = {
    "good": (b'{"latent": 4}', 200),
    "out of range": (b'{"latent": 400}', 422),
    "not a number": (b'{"latent": "red"}', 422),
    "NaN": (b'{"latent": NaN}', 422),
    "missing": (b"{}", 422),
    "of another kind": (b"[]", 422),
    "no JSON": (b'{"latent": ', 422),
    "empty": (b"", 422),
    "known error": (b'{"latent": 13}', 404),
    "bug": (b'{"latent": 7}', 500),
}


@pytest.mark.parametrize("name", BODIES)
async def test_direct__answers_as_fastapi_does(name: str) -> None:
    body, status = BODIES[name]
    answers = []
    for quick in (True, False):
        async with client(made(quick=quick), **JSON) as http:
            answers.append(await http.post("/v1/half", content=body))
    quick_one, slow_one = answers
    assert (quick_one.status_code, slow_one.status_code) == (status, status)
    assert quick_one.headers["content-type"] == slow_one.headers["content-type"]
    if status == 200:
        assert quick_one.json()["latent"] == slow_one.json()["latent"] == 2
        assert quick_one.json()["thread"].startswith("direct")
        return
    assert quick_one.json()["code"] == slow_one.json()["code"]
    assert quick_one.json()["request_id"] == quick_one.headers["x-request-id"]
    assert "Smith" not in quick_one.text
    if name in ("out of range", "not a number", "missing", "known error"):
        assert quick_one.json()["detail"] == slow_one.json()["detail"]


async def test_direct__lone_surrogates_are_bad_input() -> None:
    async with client(made(quick=True), **JSON) as http:
        answer = await http.post("/v1/half", content=b'{"latent": 1, "thread": "\\ud800"}')
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_direct__takes_json_only(kind: str) -> None:
    """A page of another origin may send these without a preflight."""
    async with client(made(quick=True), **({"content-type": kind} if kind else {})) as http:
        answer = await http.post("/v1/half", content=b'{"latent": 4}')
    assert answer.status_code == 422
    assert "send application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        (f"Basic {KEY}", 401),
        (KEY, 401),
        (f"Bearer {KEY}x", 401),
        (f"Bearer {KEY[:-1]}", 401),
        ("Bearer", 401),
        ("Bearer \u00e9", 401),
        (f"bearer {KEY}", 200),
        (f"Bearer {KEY}", 200),
    ],
)
@pytest.mark.parametrize("quick", [True, False])
async def test_key__only_as_bearer(authorization: str | None, status: int, quick: bool) -> None:
    headers = {"authorization": authorization.encode()} if authorization else {}
    async with client(made(quick=quick, api_key=SecretStr(KEY))) as http:
        answer = await http.post("/v1/half", json={"latent": 4}, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "unauthorized"


async def test_direct__stops_reading_at_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * BODY_BYTES:
            sent += 1_000_000
            yield b" " * 1_000_000

    whole = json.dumps({"latent": 4}).encode()
    async with client(made(quick=True), **JSON) as http:
        answer = await http.post("/v1/half", content=endless())
        assert (answer.status_code, answer.json()["code"]) == (413, "upload-too-large")
        assert sent <= BODY_BYTES + 2_000_000
        assert (await http.post("/v1/half", content=whole.ljust(BODY_BYTES))).status_code == 200
        assert (await http.post("/v1/half", content=whole.ljust(BODY_BYTES + 1))).status_code == 413


async def test_direct__is_counted_and_declared() -> None:
    app = made(quick=True)
    async with client(app) as http:
        await http.post("/v1/half", json={"latent": 4})
        metrics = (await http.get("/metrics")).text
    assert 'http_requests_total{handler="/v1/half",method="POST",status="2xx"} 1.0' in metrics
    described = app.openapi()["paths"]["/v1/half"]["post"]
    assert "Number" in described["requestBody"]["content"]["application/json"]["schema"]["$ref"]


def test_direct__refuses_an_endpoint_that_it_does_not_fit() -> None:
    async def waits(body: Number) -> Number:
        return body

    def two(body: Number, other: int) -> Number:
        return body

    def of_path(body: Number) -> Number:
        return body

    def guarded(body: Number) -> Number:
        return body

    for path, endpoint, depends in (
        ("/a", waits, False),
        ("/a", two, False),
        ("/a/{b}", of_path, False),
        ("/a", guarded, True),
    ):
        router = APIRouter()
        dependencies = [Depends(lambda: None)] if depends else []
        router.post(path, response_model=None, dependencies=dependencies)(direct(endpoint))
        with pytest.raises(TypeError, match="is marked direct"):
            direct_routes([router], "/v1")
