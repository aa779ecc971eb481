"""`casekin delete` on the real search and projector: nothing of the case is left, or the command says where."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from casekin.cli import app as casekin
from casekin.clients import SearchClient
from casekin.errors import NotFound
from casekin.launcher.ports import free_port
from services.projector.app import create_app as create_projector
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.file_search import files_with
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map
from tests.integration.search.made import batch, stored
from tests.serving import serving

CASES = [stored(f"C{number:05d}", [number, 0, 0, 0], lesion_id=f"L{number // 2}") for number in range(60)]
GONE = CASES[59].case
ABSENT = f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def search_url(tiny_bundle: Path, tmp_path: Path) -> Iterator[str]:
    settings = SearchSettings(bundle=tiny_bundle, data=tmp_path / "search", reserve_mb=0, log_level="WARNING")
    with serving(create_search(settings)) as url, SearchClient(url, attempts=1) as client:
        client.put_cases(*batch(CASES, version="tiny-1"))
        yield url


@pytest.fixture
def station(make_station: Callable[..., Station], search_url: str) -> Station:
    """A projector with a map that has all cases; it looks for deletions by itself too late for a test."""
    station = make_station(search_url=search_url, reconcile_s=900)
    leave_map(station)
    return station


def delete(search_url: str, projector_url: str, *arguments: str) -> tuple[int, str]:
    where = ["--search-url", search_url, "--projector-url", projector_url]
    done = CliRunner().invoke(casekin, ["delete", *arguments, *where])
    return done.exit_code, done.output


@pytest.mark.parametrize("arguments", [("--case", GONE.id), ("--lesion", GONE.lesion_id or "")])
def test_delete__leaves_nothing_in_search_nor_in_the_projector(
    search_url: str, station: Station, arguments: tuple[str, str]
) -> None:
    assert files_with(station.settings.folder, GONE.id.encode())
    with serving(create_projector(station.settings)) as projector_url:
        status, said = delete(search_url, projector_url, *arguments)
    assert status == 0, said
    assert "0 left" in said
    assert "1 maps" in said
    assert files_with(station.settings.folder, GONE.id.encode()) == []
    with SearchClient(search_url, attempts=1) as client, pytest.raises(NotFound):
        client.case(GONE.id)


def test_delete__says_what_has_the_case_where_the_projector_is_not_reached(search_url: str, station: Station) -> None:
    status, said = delete(search_url, ABSENT, "--case", GONE.id)
    assert status == 1
    assert f"{GONE.id}: out of the index, 2 files removed, 0 left" in said
    assert "its cached latents, maps and results may have the cases until it runs" in said
    assert files_with(station.settings.folder, GONE.id.encode())
    with serving(create_projector(station.settings)) as projector_url:
        status, said = delete(search_url, projector_url, "--case", GONE.id)
    assert status == 0, "the same command again completes it"
    assert files_with(station.settings.folder, GONE.id.encode()) == []


def test_delete__of_an_unknown_case_is_an_error(search_url: str, station: Station) -> None:
    with serving(create_projector(station.settings)) as projector_url:
        assert delete(search_url, projector_url, "--case", "C99999")[0] == 1
        status, said = delete(search_url, projector_url, "--lesion", "L99")
    assert status == 1
    assert "no case of lesion L99" in said
