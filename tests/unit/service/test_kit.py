"""The frame that every service gets: probes, key, problem documents, request ids."""

import errno
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from pydantic import SecretStr, ValidationError

from casekin.contracts.search import Filters
from casekin.errors import ERRORS, NotFound, Unavailable
from casekin.service.app import create_service
from casekin.service.logs import configure_logs
from casekin.service.run import refuse
from casekin.service.settings import ServiceSettings
from services.projector.settings import ProjectorSettings
from services.ui.settings import UiSettings

KEY = "a-secret-of-enough-letters"
router = APIRouter()


@router.get("/missing")
def missing() -> None:
    raise NotFound("no case ISIC_1")


@router.get("/bug")
def bug() -> None:
    raise RuntimeError("the patient is called Smith")


@router.get("/full")
def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@router.get("/down")
def down() -> None:
    raise Unavailable("no index", retry_after_s=5)


@router.post("/filters")
def filters(body: Filters) -> Filters:
    return body


def not_ready() -> None:
    raise Unavailable("the bundle is not loaded")


def service(**settings: object) -> FastAPI:
    return create_service("trial", ServiceSettings(**settings), [router], ready=lambda: None)  # type: ignore[arg-type]


def client(app: FastAPI, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)


@pytest.fixture
async def open_service() -> AsyncIterator[httpx.AsyncClient]:
    async with client(service()) as http:
        yield http


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/missing", 404, "not-found"),
        ("/v1/no-such-page", 404, "not-found"),
        ("/v1/full", 507, "storage-full"),
        ("/v1/down", 503, "unavailable"),
        ("/v1/bug", 500, "unexpected"),
    ],
)
async def test_errors__are_problem_documents(
    open_service: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await open_service.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_errors__a_bug_tells_nothing_of_its_cause(open_service: httpx.AsyncClient) -> None:
    assert "Smith" not in (await open_service.get("/v1/bug")).text


async def test_errors__unavailable_says_when_to_come_back(open_service: httpx.AsyncClient) -> None:
    assert (await open_service.get("/v1/down")).headers["retry-after"] == "5"


async def test_errors__bad_values_are_named(open_service: httpx.AsyncClient) -> None:
    answer = await open_service.post("/v1/filters", json=[{"kind": "between", "low": 300}])
    assert answer.status_code == 422
    assert "low" in answer.json()["detail"]
    assert "300" in answer.json()["detail"]
    assert "130" in answer.json()["detail"]


async def test_key__is_asked_on_v1_only() -> None:
    app = service(api_key=SecretStr(KEY))
    async with client(app) as http:
        assert (await http.get("/v1/missing")).json()["code"] == "unauthorized"
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/ready")).status_code == 200
    async with client(app, key="wrong") as http:
        assert (await http.get("/v1/missing")).status_code == 401
    async with client(app, key=KEY) as http:
        assert (await http.get("/v1/missing")).status_code == 404


async def test_ready__says_what_is_missing() -> None:
    app = create_service("trial", ServiceSettings(), [], ready=not_ready)
    async with client(app) as http:
        answer = await http.get("/ready")
    assert answer.status_code == 503
    assert "bundle" in answer.json()["detail"]


async def test_metrics__count_requests_of_each_application() -> None:
    async with client(service()) as http:
        await http.get("/v1/missing")
    async with client(service()) as http:
        await http.get("/v1/missing")
        await http.get("/v1/cases/of/many/names")
        answer = await http.get("/metrics")
    metrics = answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'http_requests_total{handler="none",method="GET",status="4xx"} 1.0' in metrics
    assert 'http_request_duration_seconds_count{handler="/v1/missing",method="GET"} 1.0' in metrics
    assert "/metrics" not in metrics
    assert 'http_requests_total{handler="/v1/missing",method="GET",status="4xx"} 1.0' in metrics


async def test_log__has_one_line_a_request_without_query_and_body(capsys: pytest.CaptureFixture[str]) -> None:
    async with client(service()) as http:
        await http.get("/health")
        answer = await http.post("/v1/filters?name=Smith", json={"site": ["Smith"]})
    (line,) = capsys.readouterr().err.splitlines()
    assert "Smith" not in line
    entry = json.loads(line)
    assert entry.pop("ms") >= 0
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "path": "/v1/filters",
        "status": 422,
        "request_id": answer.headers["x-request-id"],
    }


async def test_log__names_the_request_in_every_line_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    async with client(service()) as http:
        ids = [(await http.get(path)).headers["x-request-id"] for path in ("/v1/down", "/v1/bug")]
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(entry["event"], entry["request_id"]) for entry in entries] == [
        ("problem", ids[0]),
        ("request", ids[0]),
        ("unexpected", ids[1]),
        ("request", ids[1]),
    ]
    assert "RuntimeError: the patient" in entries[2]["exception"]


def test_log__takes_lines_of_the_standard_library_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("WARNING")
    logging.getLogger("other").warning("disk is %s", "slow")
    logging.getLogger("other").info("unheard")
    structlog.get_logger("own").info("unheard")
    (line,) = capsys.readouterr().err.splitlines()
    assert {"event": "disk is slow", "level": "warning"}.items() <= json.loads(line).items()


def test_settings__refuse_an_open_address_without_key() -> None:
    with pytest.raises(ValidationError, match=r"bound to 0\.0\.0\.0.*CASEKIN_API_KEY"):
        ServiceSettings(host="0.0.0.0")
    with pytest.raises(ValidationError, match="at least 16"):
        ServiceSettings(host="0.0.0.0", api_key=SecretStr("short"))
    assert ServiceSettings(host="0.0.0.0", api_key=SecretStr(KEY)).authenticated


def test_settings__a_log_level_that_is_none_is_refused() -> None:
    assert ServiceSettings(log_level="debug").log_level == "DEBUG"
    with pytest.raises(ValidationError, match="log_level"):
        ServiceSettings(log_level="loud")


@pytest.mark.parametrize("settings", [UiSettings, ProjectorSettings])
@pytest.mark.parametrize("url", ["http://[::1", "search:8102", "http://search:0", "http://search:8102\n"])
def test_settings__a_malformed_address_is_refused_at_start(settings: type[ServiceSettings], url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(search_url=url)  # type: ignore[call-arg]
    assert refuse(caught.value) == 2
    assert settings(search_url="http://search:8102/").search_url == "http://search:8102"  # type: ignore[call-arg,attr-defined]


def test_refuse__says_in_one_line_which_setting_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        UiSettings(search_url="http://[::1")
    refuse(caught.value)
    said = capsys.readouterr().err
    assert said.startswith("casekin: search_url: the address 'http://[::1' cannot be read")
    assert said.count("\n") == 1


def test_errors__have_one_code_each() -> None:
    assert len(ERRORS) == len({cls.code for cls in ERRORS.values()})
    assert all(400 <= cls.status < 600 for cls in ERRORS.values())
