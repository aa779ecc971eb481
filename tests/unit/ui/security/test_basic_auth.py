import json
import logging
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError

from services.ui.app import create_app
from services.ui.security.basic_auth import PasswordCheck
from services.ui.security.passwords import PasswordHash
from services.ui.settings import UiSettings
from tests.unit.ui.conftest import Behind, over_asgi

PASSWORD = "näher am Fall 7"


@pytest.fixture
async def guarded(behind: Behind) -> AsyncIterator[httpx.AsyncClient]:
    users = f"dr.adler:{PasswordHash.of(PASSWORD)}"
    async with over_asgi(create_app(behind.settings(host="0.0.0.0", users=users))) as client:
        yield client


def test_settings__open_address_without_users_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"bound to 0\.0\.0\.0, which others can reach: set CASEKIN_USERS"):
        UiSettings(host="0.0.0.0")


def test_settings__an_api_key_is_no_sign_in() -> None:
    with pytest.raises(ValidationError, match="CASEKIN_USERS"):
        UiSettings(host="0.0.0.0", api_key="k" * 32)


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/images/CASE_000", "/assets/casekin.js", "/docs", "/nothing"])
async def test_sign_in__is_asked_for_everywhere(guarded: httpx.AsyncClient, path: str) -> None:
    answer = await guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.json()["code"] == "unauthorized"


async def test_sign_in__callbacks_too(guarded: httpx.AsyncClient) -> None:
    assert (await guarded.post("/_dash-update-component", json={})).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_sign_in__probes_need_none(guarded: httpx.AsyncClient, path: str) -> None:
    assert (await guarded.get(path)).status_code == 200


@pytest.mark.parametrize(
    "credentials",
    [("dr.adler", "wrong"), ("nobody", PASSWORD), ("", ""), ("dr.adler", "")],
)
async def test_sign_in__wrong_pairs_are_refused(guarded: httpx.AsyncClient, credentials: tuple[str, str]) -> None:
    assert (await guarded.get("/", auth=httpx.BasicAuth(*credentials))).status_code == 401


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", "Basic //79", "Bearer x", "basic"])
async def test_sign_in__broken_headers_are_refused(guarded: httpx.AsyncClient, header: str) -> None:
    assert (await guarded.get("/", headers={"Authorization": header})).status_code == 401


async def test_sign_in__the_view_is_audited_under_the_name(guarded: httpx.AsyncClient, behind: Behind) -> None:
    answer = await guarded.get("/images/CASE_003", auth=httpx.BasicAuth("dr.adler", PASSWORD))
    assert answer.status_code == 200
    lines = [json.loads(line) for line in behind.audit.read_text().splitlines()]
    assert ("dr.adler", "CASE_003") in [(line["who"], line["subject"]) for line in lines]


async def test_sign_in__passwords_reach_no_log(guarded: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await guarded.get("/", auth=httpx.BasicAuth("dr.adler", PASSWORD))
    await guarded.get("/", auth=httpx.BasicAuth("dr.adler", PASSWORD + "x"))
    assert PASSWORD not in caplog.text


async def test_check__a_right_pair_is_remembered_a_wrong_one_is_not() -> None:
    check = PasswordCheck({"a": PasswordHash.of(PASSWORD)})
    right = "Basic " + httpx.BasicAuth("a", PASSWORD)._auth_header.removeprefix("Basic ")

    async def took(header: str) -> float:
        began = time.perf_counter()
        await check.user(header)
        return time.perf_counter() - began

    first = await took(right)
    assert min([await took(right) for _ in range(5)]) < first / 10
    wrong = httpx.BasicAuth("a", "wrong")._auth_header
    await check.user(wrong)
    assert await check.user(wrong) is None
