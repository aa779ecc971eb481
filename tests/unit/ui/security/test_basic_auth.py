import base64
import json
import logging
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


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counted(PasswordHash):
    """Counts how often a password was hashed to compare it."""

    checks = 0

    def matches(self, password: str) -> bool:
        Counted.checks += 1
        return super().matches(password)


@pytest.fixture
def counted() -> Counted:
    Counted.checks = 0
    return Counted.of(PASSWORD)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def test_check__a_right_pair_is_remembered_for_five_minutes_and_no_longer(counted: Counted) -> None:
    clock = Clock()
    check = PasswordCheck({"a": counted}, clock=clock)
    header = basic("a", PASSWORD)
    for later, checks in ((0, 1), (299, 1), (1.1, 2), (299, 2), (1.1, 3)):
        clock.now += later
        assert await check.user(header) == "a"
        assert Counted.checks == checks


async def test_check__a_wrong_pair_is_never_remembered(counted: Counted) -> None:
    check = PasswordCheck({"a": counted})
    for checks in (1, 2):
        assert await check.user(basic("a", "wrong")) is None
        assert Counted.checks == checks
    assert await check.user(basic("a", PASSWORD)) == "a"
    assert await check.user(basic("b", PASSWORD)) is None, "a right password under another name"


async def test_check__remembers_a_bounded_number_of_pairs(counted: Counted) -> None:
    check = PasswordCheck({f"u{number}": counted for number in range(4)}, most=3)
    for number in (0, 1, 2, 3):
        await check.user(basic(f"u{number}", PASSWORD))
    before = Counted.checks
    await check.user(basic("u3", PASSWORD))
    assert Counted.checks == before
    await check.user(basic("u0", PASSWORD))
    assert Counted.checks == before + 1
