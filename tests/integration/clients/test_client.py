"""The clients against a real server: errors come back as what they were, and a short outage is ridden out."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import APIRouter, Request

from casekin.clients import SearchClient
from casekin.contracts.search import Case
from casekin.errors import NotFound, Unauthorized, Unavailable, Unexpected
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
