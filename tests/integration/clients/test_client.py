"""The clients against a real server: errors come back as what they were, and a short outage is ridden out."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import APIRouter, Request

from casekin.clients import SearchClient
from casekin.contracts.cases import Case
from casekin.errors import BadInput, NotFound, Unauthorized, Unavailable, Unexpected
from casekin.service.app import create_service
from casekin.service.auth import acting_user
from casekin.service.settings import ServiceSettings
from tests.serving import serving

KEY = "a-secret-of-enough-letters"


@contextmanager
def search_service(answer: Callable[[Request], Case], key: str | None = None) -> Iterator[str]:
    router = APIRouter()
    router.get("/cases/{case_id}")(answer)
    settings = ServiceSettings(api_key=key)  # type: ignore[arg-type]
    with serving(create_service("search", settings, [router], ready=lambda: None)) as url:
        yield url


def test_client__raises_what_the_service_raised() -> None:
    def answer(request: Request) -> Case:
        raise NotFound(f"no case {request.path_params['case_id']}")

    with search_service(answer) as url, SearchClient(url) as client:
        assert client.is_ready()
        with pytest.raises(NotFound, match="no case ISIC_1"):
            client.case("ISIC_1")


def test_client__rides_out_a_short_outage() -> None:
    calls: list[int] = []

    def answer(request: Request) -> Case:
        calls.append(1)
        if len(calls) < 3:
            raise Unavailable("the index is opening")
        return Case(id="ISIC_1")

    with search_service(answer) as url, SearchClient(url) as client:
        assert client.case("ISIC_1").id == "ISIC_1"
    assert len(calls) == 3


def test_client__does_not_repeat_a_refusal() -> None:
    calls: list[int] = []

    def answer(request: Request) -> Case:
        calls.append(1)
        raise RuntimeError("bug")

    with search_service(answer) as url, SearchClient(url) as client, pytest.raises(Unexpected):
        client.case("ISIC_1")
    assert len(calls) == 1


def test_client__sends_the_key_and_the_user() -> None:
    def answer(request: Request) -> Case:
        return Case(id="ISIC_1", attributes={"user": acting_user(request)})

    with search_service(answer, key=KEY) as url:
        with SearchClient(url, api_key=KEY, user="dr.a") as client:
            assert client.case("ISIC_1").attributes["user"] == "dr.a"
        with SearchClient(url) as client, pytest.raises(Unauthorized):
            client.case("ISIC_1")


def test_client__says_who_does_not_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with SearchClient(url, attempts=2) as client:
            assert not client.is_ready()
            with pytest.raises(Unavailable, match=r"search at .* does not answer"):
                client.case("ISIC_1")


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html") -> Iterator[tuple[str, list[int]]]:
    """What a proxy, or a program that is no service, answers to everything; and a mark for each call."""
    calls: list[int] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        calls.append(1)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with serving(app) as url:
        yield url, calls


FOREIGN = b'{"type": "about:blank", "title": "Bad Gateway", "status": 502}'
UNKNOWN = b'{"type": "urn:x", "title": "away", "status": 503, "code": "of-a-later-version", "detail": "away"}'


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", FOREIGN, UNKNOWN])
@pytest.mark.parametrize("status", [502, 503, 504])
def test_client__takes_a_bare_502_503_or_504_for_an_outage(status: int, body: bytes) -> None:
    with answering(status, body) as (url, calls):
        client = SearchClient(url, attempts=2)
        with pytest.raises(Unavailable):
            client.case("ISIC_1")
        client.close()
    assert len(calls) == 2, "it is tried again"


@pytest.mark.parametrize("status", [500, 501, 505, 418, 302])
def test_client__takes_other_bare_answers_for_a_bug(status: int) -> None:
    with answering(status, b"<h1>no</h1>") as (url, calls):
        client = SearchClient(url)
        with pytest.raises(Unexpected, match=f"search answered {status}"):
            client.case("ISIC_1")
    assert len(calls) == 1


@pytest.mark.parametrize("body", [b"<h1>Please sign in</h1>", b"{}", b'{"id": "ISIC_1", "of": "tomorrow"}'])
def test_client__says_that_another_program_answers(body: bytes) -> None:
    with answering(200, body) as (url, _):
        client = SearchClient(url)
        with pytest.raises(Unexpected, match=r"answered what is no Case .*another program or another version"):
            client.case("ISIC_1")


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://",
        "",
        "search:8102",
        "localhost:8102",
        "ftp://search:8102",
        "http://search:99999999",
        "http://search:port",
        "http://sea rch:8102",
        "http://search:8102\n",
        "http://search\0:8102",
        "http://user:secret@search:8102",
        "http://search:8102?x=1",
    ],
)
def test_client__refuses_a_malformed_address_in_words(url: str) -> None:
    with pytest.raises(BadInput, match="search: the address"):
        SearchClient(url)


@pytest.mark.parametrize("url", ["http://[::1]:8102", "http://127.0.0.1:8102/", "https://search", "http://a.b-c:1"])
def test_client__takes_every_good_address(url: str) -> None:
    SearchClient(url).close()


@pytest.mark.parametrize("key", ["schlüssel-mit-umlaut", "a key\nof two lines", " blank before"])
def test_client__refuses_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(BadInput, match="API key"):
        SearchClient("http://127.0.0.1:8102", api_key=key)


@pytest.mark.parametrize("user", ["dr.a", "Dr. Müller-Lüdenscheidt", "山田", "100 % sure", "a+b@c.org", "O'Neill"])
def test_client__names_every_user(user: str) -> None:
    def answer(request: Request) -> Case:
        return Case(id="ISIC_1", attributes={"user": acting_user(request)})

    with search_service(answer) as url:
        with SearchClient(url, user=user) as client:
            assert client.case("ISIC_1").attributes["user"] == user
        with SearchClient(url) as client:
            case = client._get(Case, "/v1/cases/ISIC_1", user=user)  # as image() and the changing calls do
            assert case.attributes["user"] == user
