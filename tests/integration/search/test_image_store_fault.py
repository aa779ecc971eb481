"""An image store that fails or hangs stops no search; readiness names it, and images say that they are unavailable."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from casekin.clients.search import SearchClient
from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.conditions import AnyOf
from casekin.contracts.search import SearchRequest, SearchResponse
from casekin.errors import Unavailable
from services.search.api.dependencies import Dependencies
from services.search.app import assemble, serve
from services.search.indexing import registry
from services.search.settings import SearchSettings
from services.search.storage import collection_info
from services.search.storage.blob_store import BlobStore
from services.search.vector_store.factory import engine_of
from tests.integration.search.made import batch, collection
from tests.serving import serving

CASES = collection(30)
INFO = CollectionInfo(
    title="As it was",
    diagnoses=[Diagnosis(code="rare", name="Rare", malignant=False)],
    evidence_weights={"histo": 1.0, "follow_up": 0.25},
)


@pytest.fixture
def parts(settings: SearchSettings, monkeypatch: pytest.MonkeyPatch) -> Dependencies:
    """A service that looks for changes by other copies with every request."""
    monkeypatch.setattr(registry, "_FRESH_S", 0.0)
    monkeypatch.setattr(collection_info, "_FRESH_S", 0.0)
    return assemble(settings, engine_of(settings))


@pytest.fixture
def client(parts: Dependencies, settings: SearchSettings) -> Iterator[SearchClient]:
    with serving(serve(parts, settings)) as url, SearchClient(url, attempts=1, timeout_s=5) as client:
        client.describe_collection(INFO)
        client.put_cases(*batch(CASES))
        yield client


def search(client: SearchClient) -> SearchResponse:
    """With a filter that only the collection's vocabulary allows, and votes that its evidence weights change."""
    diagnoses = AnyOf(field="diagnosis", values=("nv", "mel", "rare"))
    asked = SearchRequest(bundle_version="made-1", latents=([0.1, 0.2, 0.3, 0.4],), filters=(diagnoses,))
    return client.search(asked)


def readiness(client: SearchClient) -> dict[str, str]:
    body: dict[str, str] = httpx.get(f"{client._http.base_url}/ready").json()
    return body


def until_degraded(client: SearchClient) -> str:
    deadline = time.monotonic() + 5
    while "degraded" not in (answer := readiness(client)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert answer["status"] == "ready"
    return answer["degraded"]


def test_search__answers_the_same_while_the_image_store_fails(
    client: SearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = search(client)
    assert readiness(client) == {"status": "ready"}

    def fail(*_: object) -> None:
        raise OSError("the mount is gone")

    with monkeypatch.context() as broken:
        broken.setattr("fsspec.implementations.local.LocalFileSystem.cat_file", fail)
        assert "the mount is gone" in until_degraded(client)
        assert search(client) == before
        assert client.collection().info == INFO
        with pytest.raises(Unavailable, match=r"the image store does not answer \(OSError: the mount is gone\)"):
            client.image(CASES[0].case.id)
    client.image(CASES[0].case.id)
    deadline = time.monotonic() + 5
    while readiness(client) != {"status": "ready"}:
        assert time.monotonic() < deadline, "it is well again"


def test_search__does_not_wait_for_an_image_store_that_hangs(
    client: SearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, go_on = search(client), threading.Event()
    read = BlobStore.read

    def hang(self: BlobStore, key: str) -> bytes | None:
        go_on.wait(20)
        return read(self, key)

    try:
        monkeypatch.setattr(BlobStore, "read", hang)
        for _ in range(5):
            assert search(client) == before
            assert client.collection().info == INFO
            assert client.is_ready()
    finally:
        go_on.set()


def test_search__goes_on_with_what_it_knows_where_the_information_is_damaged(
    client: SearchClient, settings: SearchSettings
) -> None:
    before = search(client)
    (settings.data / "images" / "collection.json").write_text('{"title": 3')
    assert "collection.json in the image store is damaged" in until_degraded(client)
    assert search(client) == before
    client.describe_collection(INFO)
    assert readiness(client) == {"status": "ready"}


def test_search__finds_a_thread_while_many_changes_wait_for_their_turn(
    parts: Dependencies, client: SearchClient
) -> None:
    before, done = search(client), []

    def write(number: int) -> None:
        with SearchClient(str(client._http.base_url), attempts=1) as writer:
            done.append(writer.put_cases(*batch(CASES[number % 30 : number % 30 + 1])))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(60)]
    with parts.indexes.changing:
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        assert search(client).matches == before.matches
        assert done == []
    for writer in writers:
        writer.join(30)
    assert len(done) == 60
