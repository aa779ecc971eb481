import re
from collections.abc import AsyncIterator

import httpx
import pytest

from services.ui.security.request_guard import LARGEST_BODY

JSON = {"Content-Type": "application/json"}


async def test_page__carries_the_security_headers(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/")).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert "unsafe-inline" not in rules["script-src"]
    assert not re.search(r"https?:|\*", headers["content-security-policy"])


@pytest.mark.parametrize("path", ["/thumbnails/CASE_001", "/images/CASE_001", "/_dash-layout", "/nothing"])
async def test_answers_with_patients__are_not_kept(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).headers["cache-control"] == "no-store"


async def test_page__asks_nothing_of_other_servers(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "casekin.js" in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


async def test_page__every_script_of_the_page_is_served(http: httpx.AsyncClient) -> None:
    sources = re.findall(r'(?:src|href)="([^"]+)"', (await http.get("/")).text)
    assert len(sources) > 8
    for source in sources:
        assert (await http.get(source)).status_code == 200, source


async def test_unknown_path__is_a_problem_document(http: httpx.AsyncClient) -> None:
    answer = await http.get("/patients")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    ],
)
async def test_post__from_another_site_is_refused(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.post("/_dash-update-component", json={}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("host", ["casekin.example", "127.0.0.1.example", "10.0.0.7:8100", "", "[", "[::1"])
async def test_host__other_than_this_machine_is_refused_where_nobody_signs_in(
    http: httpx.AsyncClient, host: str
) -> None:
    answer = await http.get("/", headers={"Host": host})
    assert answer.status_code == 422
    assert "CASEKIN_USERS" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:8100", "127.0.0.1:8100", "[::1]:8100"])
async def test_host__this_machine_is_served(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/", headers={"Host": host})).status_code == 200


async def test_body__too_large_by_its_header_is_refused_unread(http: httpx.AsyncClient) -> None:
    answer = await http.post("/_dash-update-component", content=b"x" * (LARGEST_BODY + 1), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "the request is larger than 36 MB; an image may have 20 MB"


async def test_body__too_large_without_a_header_is_refused(http: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 2**20

    answer = await http.post("/_dash-update-component", content=endless(), headers=JSON)
    assert answer.status_code == 413


async def test_post__of_anything_but_json_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/_dash-update-component", data={"a": "form of another site"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
