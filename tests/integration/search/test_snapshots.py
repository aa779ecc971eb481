"""A snapshot brings the collection back as it was, on both engines and from one to the other."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from casekin.cli import app as casekin
from casekin.clients.search import SearchClient
from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo
from casekin.contracts.indexes import EncodedAnew, IndexFill, Switch
from casekin.contracts.search import SearchRequest
from casekin.errors import Conflict, NotFound
from services.search.app import assemble, serve
from services.search.settings import SearchSettings
from services.search.vector_store.factory import Engine, ServerEngine, engine_of
from services.search.vector_store.port import StoredCase
from services.search.vector_store.server.collection_config import ServerOptions
from tests.integration.search.conftest import InMemory
from tests.integration.search.made import batch, collection, manifest, stored
from tests.serving import serving

CASES = [*collection(40), stored("ISIC_9000000", [1, 2, 3, 4], attributes={"ward": "b"})]
LATER = stored("ISIC_9000001", [0.1, 0.2, 0.3, 0.4], diagnosis="mel")
INFO = CollectionInfo(title="As it was", labels={"site": {"back": "Back"}})


@pytest.fixture
def client(engine: Callable[[], Engine], settings: SearchSettings) -> Iterator[SearchClient]:
    with (
        serving(serve(assemble(settings, engine()), settings)) as url,
        SearchClient(url, attempts=1) as client,
    ):
        client.describe_collection(INFO)
        client.put_cases(*batch(CASES))
        yield client


def everything(client: SearchClient) -> tuple[Any, ...]:
    """All cases with latents, digests and pictures, what the collection says, and a search."""
    (page,) = client.latents()
    ids = [case.id for case in page.cases]
    pictures = [(client.image(case_id), client.thumbnail(case_id)) for case_id in ids]
    asked = SearchRequest(bundle_version="made-1", latents=([0.1, 0.2, 0.3, 0.4],), k=20)
    answer = client.search(asked).model_copy(update={"revision": ""})
    return page.cases, page.latents, client.digests(ids), pictures, client.collection().info, answer


def spoil(client: SearchClient) -> None:
    """Change everything that a snapshot keeps, but delete nothing."""
    changed = StoredCase(Case(id=CASES[0].case.id, site="foot"), -CASES[0].latent, "c" * 64, "")
    cases, pictures = batch([changed, LATER])
    pictures[changed.case.id] = pictures[LATER.case.id]
    client.put_cases(cases, pictures)
    client.describe_collection(CollectionInfo(title="Spoilt"))


def files(settings: SearchSettings, folder: str = "") -> list[str]:
    root = settings.data / "images" / folder
    return sorted(str(file.relative_to(root)) for file in root.rglob("*~*"))


def test_restore__brings_back_every_case_and_every_answer(client: SearchClient, settings: SearchSettings) -> None:
    before, pictures = everything(client), files(settings, "cases")
    taken = client.take_snapshot("good")
    assert (taken.name, taken.bundle_version, taken.cases) == ("good", "made-1", 41)
    spoil(client)
    assert everything(client) != before
    assert client.restore_snapshot("good") == taken
    assert everything(client) == before
    assert files(settings, "cases") == pictures, "nothing is left of what came since"
    with pytest.raises(NotFound):
        client.case(LATER.case.id)
    assert client.restore_snapshot("good") == taken, "again, it changes nothing"
    assert everything(client) == before


def test_restore__makes_the_index_of_its_time_live_again(client: SearchClient) -> None:
    before = everything(client)
    client.take_snapshot("old-model")
    client.add_index(manifest("made-2"))
    turned = [EncodedAnew(id=one.case.id, digest=one.digest, latent=(-one.latent).tolist()) for one in CASES]
    client.fill("made-2", IndexFill(source="made-1", cases=turned))
    client.switch(Switch(bundle_version="made-2"))
    client.delete_index("made-1")
    client.restore_snapshot("old-model")
    assert client.collection().bundle_version == "made-1"
    assert everything(client) == before


def test_restore__does_not_bring_back_what_was_deleted(client: SearchClient, settings: SearchSettings) -> None:
    client.take_snapshot("first")
    client.take_snapshot("second")
    gone = CASES[5].case.id
    done = client.delete_case(gone)
    assert (done.cases, done.left) == ([gone], 0)
    assert not [name for name in files(settings) if gone in name]
    client.restore_snapshot("first")
    assert client.collection().cases == 40
    with pytest.raises(NotFound):
        client.case(gone)


def test_snapshot__made_by_one_engine_is_restored_by_the_other(settings: SearchSettings) -> None:
    held = InMemory(":memory:")
    with (
        serving(serve(assemble(settings, engine_of(settings)), settings)) as url,
        SearchClient(url, attempts=1) as edge,
    ):
        edge.put_cases(*batch(CASES))
        edge.take_snapshot("moving")
        before = everything(edge)
    server = ServerEngine(lambda: held, "cases", ServerOptions())
    with serving(serve(assemble(settings, server), settings)) as url, SearchClient(url, attempts=1) as client:
        assert client.collection().cases == 0
        client.restore_snapshot("moving")
        assert everything(client) == before


def test_snapshots__are_listed_and_deleted(client: SearchClient, settings: SearchSettings) -> None:
    assert client.snapshots() == []
    client.take_snapshot("b")
    client.take_snapshot("a")
    assert [one.name for one in client.snapshots()] == ["a", "b"]
    with pytest.raises(Conflict, match="there is a snapshot a already"):
        client.take_snapshot("a")
    assert [one.name for one in client.delete_snapshot("a")] == ["b"]
    assert not (settings.data / "images" / "snapshots" / "a").exists()
    assert len(files(settings, "cases")) == 82, "pictures of the collection stay"
    for ask in (client.restore_snapshot, client.delete_snapshot):
        with pytest.raises(NotFound, match="there is no snapshot a; there are b"):
            ask("a")


def test_take__of_one_name_at_once_keeps_the_first(client: SearchClient) -> None:
    answers: list[object] = []

    def take() -> None:
        try:
            answers.append(client.take_snapshot("same"))
        except Conflict as error:
            answers.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    taken = [answer for answer in answers if not isinstance(answer, str)]
    assert client.snapshots() == taken, "one was taken, and is there"
    assert len([answer for answer in answers if answer not in taken]) == 3
    assert client.restore_snapshot("same").cases == 41


def test_take__that_was_cut_short_is_none_and_is_done_anew(client: SearchClient, settings: SearchSettings) -> None:
    client.take_snapshot("half")
    (settings.data / "images" / "snapshots" / "half" / "snapshot.json").unlink()
    assert client.snapshots() == []
    client.delete_case(CASES[1].case.id)
    assert client.take_snapshot("half").cases == 40
    client.restore_snapshot("half")
    assert client.collection().cases == 40


def test_take__has_nothing_of_the_one_that_was_cut_short(client: SearchClient, settings: SearchSettings) -> None:
    client.take_snapshot("good")
    client.put_cases(*batch([LATER]))
    client.take_snapshot("half")
    (settings.data / "images" / "snapshots" / "half" / "snapshot.json").unlink()
    client.restore_snapshot("good")
    assert client.take_snapshot("half").cases == 41
    client.restore_snapshot("half")
    with pytest.raises(NotFound):
        client.case(LATER.case.id)


def test_command__takes_lists_restores_and_deletes(client: SearchClient, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(casekin, ["snapshot", *arguments, "--search-url", str(client._http.base_url)])
        return done.exit_code, done.output

    assert run("list") == (0, "there are no snapshots\n")
    assert run("take", "good")[0] == 0
    spoil(client)
    status, told = run("restore", "good")
    assert status == 0
    assert told.startswith("good")
    assert told.endswith("41 cases of made-1\n")
    assert client.collection().info == INFO
    assert run("take", "Not a name")[0] == 1
    assert run("delete", "good") == (0, "there are no snapshots\n")
