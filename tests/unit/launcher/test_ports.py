import socket

import pytest

from casekin.errors import Conflict
from casekin.launcher import ports


@pytest.fixture
def taken() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_page_port__asked_and_taken_is_an_error_that_names_it(taken: int) -> None:
    with pytest.raises(Conflict, match=rf"port {taken} on 127\.0\.0\.1 is taken.*--port"):
        ports.page_port("127.0.0.1", taken)


def test_page_port__preferred_and_taken_gives_another(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PAGE_PORT", taken)
    found = ports.page_port("127.0.0.1", None)
    assert found != taken
    assert ports.is_free("127.0.0.1", found)


def test_page_port__preferred_and_free_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.free_port()
    monkeypatch.setattr(ports, "PAGE_PORT", free)
    assert ports.page_port("127.0.0.1", None) == free


def test_page_port__asked_and_free_is_given() -> None:
    free = ports.free_port()
    assert ports.page_port("127.0.0.1", free) == free
    assert ports.page_port("127.0.0.1", 0) > 0


def test_free_port__is_none_that_an_outgoing_connection_could_be_given() -> None:
    assert all(ports.free_port() < 32_768 for _ in range(5))
