"""An index is filled beside the live one, switched to, gone back from and deleted, on both engines."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from casekin.clients.search import SearchClient
from casekin.contracts.bundle import BundleManifest, FileDigest
from casekin.contracts.indexes import EncodedAnew, IndexFill, Switch
from casekin.contracts.search import SearchRequest
from casekin.errors import BadInput, Conflict, NotFound, WrongLatent
from services.search.app import assemble, serve
from services.search.indexing import registry as indexes_module
from services.search.indexing.registry_state import RegistryStore
from services.search.settings import SearchSettings
from services.search.vector_store.factory import Engine, ServerEngine, engine_of
from services.search.vector_store.port import StoredCase
from services.search.vector_store.server.collection_config import ServerOptions
from tests.integration.search.conftest import InMemory
from tests.integration.search.made import batch, collection, manifest
from tests.serving import serving

pytestmark = pytest.mark.usefixtures("quick")
CASES = collection(30)
NEW = "made-2"


@pytest.fixture
def client(engine: Callable[[], Engine], settings: SearchSettings) -> Iterator[SearchClient]:
    with (
        serving(serve(assemble(settings, engine()), settings)) as url,
        SearchClient(url, attempts=1) as client,
    ):
        client.put_cases(*batch(CASES))
        yield client


def anew(case: StoredCase) -> EncodedAnew:
    """As the other bundle has it: every latent turned round, so that an answer tells which index it is from."""
    return EncodedAnew(id=case.case.id, digest=case.digest, latent=[-value for value in case.latent.tolist()])


def fill(client: SearchClient, cases: Sequence[StoredCase], version: str = NEW, source: str = "made-1") -> list[str]:
    return client.fill(version, IndexFill(source=source, cases=[anew(case) for case in cases])).passed_over


def nearest(client: SearchClient, version: str, latent: Sequence[float]) -> tuple[str, float]:
    asked = SearchRequest(bundle_version=version, latents=(list(latent),), preset="visual", one_per_lesion=False)
    match = client.search(asked).matches[0]
    return match.case.id, match.distance


def states(client: SearchClient) -> list[tuple[str, str, int]]:
    return [(one.bundle_version, one.state, one.cases) for one in client.indexes()]


def test_life__from_filling_to_deletion(client: SearchClient) -> None:
    client.add_index(manifest(NEW))
    assert states(client) == [("made-1", "live", 30), (NEW, "filling", 0)]
    lag = client.lag(NEW, None)
    assert (lag.source, lag.cases, lag.passed, lag.total, lag.next) == (
        "made-1",
        {case.case.id: case.digest for case in CASES},
        30,
        30,
        None,
    )
    assert fill(client, CASES) == []
    latent = CASES[7].latent.tolist()
    with pytest.raises(WrongLatent, match="bundle made-2, this collection of bundle made-1"):
        nearest(client, NEW, latent)
    done = client.switch(Switch(bundle_version=NEW))
    assert (done.live, done.before, done.behind) == (NEW, "made-1", 0)
    assert client.switch(Switch(bundle_version=NEW)) == done, "asked for again, it is as it is"
    assert states(client) == [(NEW, "live", 30), ("made-1", "standby", 30)]
    assert client.collection().bundle_version == NEW
    for version, turned in ((NEW, [-value for value in latent]), ("made-1", latent)):
        assert nearest(client, version, turned) == (CASES[7].case.id, 0.0), "each from the index of its own bundle"
    with pytest.raises(WrongLatent, match="bundle made-1, this collection of bundle made-2"):
        client.put_cases(*batch(CASES[:1]))
    assert client.switch(Switch(bundle_version="made-1", even_if_behind=True)).before == NEW
    assert states(client) == [("made-1", "live", 30), (NEW, "standby", 30)]
    with pytest.raises(Conflict, match="is live; switch to another one first"):
        client.delete_index("made-1")
    assert [one.bundle_version for one in client.delete_index(NEW)] == ["made-1"]
    with pytest.raises(WrongLatent, match="bundle made-2"):
        nearest(client, NEW, latent)
    assert client.image(CASES[0].case.id)[1] == "image/jpeg", "pictures of the live index stay"


def test_switch__waits_for_what_came_and_changed_and_never_brings_back_what_went(client: SearchClient) -> None:
    added, changed, gone = collection(31)[30], CASES[3], CASES[4]
    client.add_index(manifest(NEW))
    assert fill(client, CASES[:4]) == []
    newer = StoredCase(changed.case.model_copy(update={"site": "foot"}), changed.latent, "f" * 64, changed.image)
    client.put_cases(*batch([added, newer]))
    client.delete_case(gone.case.id)
    assert fill(client, [gone, *CASES[5:]]) == [gone.case.id]
    assert fill(client, [changed]) == [changed.case.id], "it was encoded in a state that is no more"
    assert set(client.lag(NEW, None).cases) == {added.case.id, changed.case.id}
    with pytest.raises(Conflict, match="lacks 2 of 30 cases"):
        client.switch(Switch(bundle_version=NEW))
    assert client.collection().bundle_version == "made-1"
    assert fill(client, [added, newer]) == []
    client.switch(Switch(bundle_version=NEW))
    held = {case.id: case for page in client.latents() for case in page.cases}
    assert held.keys() == {case.case.id for case in [*CASES, added]} - {gone.case.id}
    assert held[changed.case.id].site == "foot"


def test_delete_case__takes_it_out_of_every_index(client: SearchClient, settings: SearchSettings) -> None:
    client.add_index(manifest(NEW))
    fill(client, CASES)
    client.switch(Switch(bundle_version=NEW))
    gone = CASES[9].case.id
    assert client.delete_case(gone).left == 0
    assert [cases for _, _, cases in states(client)] == [29, 29]
    assert not list((settings.data / "images").rglob(f"*{gone}*"))


def test_roll_back__finds_the_pictures_of_before_and_gets_what_was_added(client: SearchClient) -> None:
    client.add_index(manifest(NEW))
    fill(client, CASES)
    client.switch(Switch(bundle_version=NEW))
    changed = StoredCase(CASES[0].case, CASES[0].latent, "e" * 64, "")
    added = collection(31)[30]
    cases, pictures = batch([changed, added], version=NEW)
    pictures[changed.case.id] = pictures[added.case.id]
    before = client.image(changed.case.id)[0]
    client.put_cases(cases, pictures)
    assert client.image(changed.case.id)[0] != before
    back = client.switch(Switch(bundle_version="made-1", even_if_behind=True))
    assert (back.live, back.behind) == ("made-1", 2)
    assert client.image(changed.case.id)[0] == before
    assert list(client.lag("made-1", None).cases) == [added.case.id], "the live one's own state counts"
    assert fill(client, [added], "made-1", source=NEW) == []
    assert client.lag("made-1", None).cases == {}
    assert client.collection().cases == 31


def test_delete_index__takes_pictures_along_that_no_other_has(client: SearchClient, settings: SearchSettings) -> None:
    client.add_index(manifest(NEW))
    fill(client, CASES)
    client.switch(Switch(bundle_version=NEW))
    added = collection(31)[30]
    client.put_cases(*batch([added], version=NEW))
    client.switch(Switch(bundle_version="made-1", even_if_behind=True))
    assert len(list((settings.data / "images" / "cases").rglob("*~*"))) == 62
    client.delete_index(NEW)
    assert len(list((settings.data / "images" / "cases").rglob("*~*"))) == 60


def test_start__goes_on_with_what_was_live_whatever_bundle_it_is_given(
    engine: Callable[[], Engine], settings: SearchSettings
) -> None:
    with (
        serving(serve(assemble(settings, engine()), settings)) as url,
        SearchClient(url, attempts=1) as client,
    ):
        client.put_cases(*batch(CASES))
    (settings.bundle / "bundle.json").write_text(manifest(NEW).model_dump_json())
    with (
        serving(serve(assemble(settings, engine()), settings)) as url,
        SearchClient(url, attempts=1) as client,
    ):
        assert states(client) == [("made-1", "live", 30), (NEW, "filling", 0)]
        fill(client, CASES)
        client.switch(Switch(bundle_version=NEW))
    (settings.bundle / "bundle.json").write_text(manifest("made-1").model_dump_json())
    with (
        serving(serve(assemble(settings, engine()), settings)) as url,
        SearchClient(url, attempts=1) as client,
    ):
        assert states(client) == [(NEW, "live", 30), ("made-1", "standby", 30)]


def test_start__on_an_empty_collection_takes_the_bundle_it_is_given(
    engine: Callable[[], Engine], settings: SearchSettings
) -> None:
    assemble(settings, engine()).indexes.close()
    (settings.bundle / "bundle.json").write_text(manifest(NEW).model_dump_json())
    parts = assemble(settings, engine())
    assert parts.indexes.live().version == NEW
    parts.indexes.close()


def test_start__completes_a_deletion_that_a_crash_interrupted(
    engine: Callable[[], Engine], settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = assemble(settings, engine())
    parts.indexes.add(manifest(NEW))

    def die(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(indexes_module.time, "sleep", die)
    with pytest.raises(KeyboardInterrupt):
        parts.indexes.delete(NEW)
    parts.indexes.close()
    again = assemble(settings, engine())
    assert [index.version for _, index in again.indexes.all()] == ["made-1"]
    assert again.indexes.state(fresh=True).deleting == ()
    assert again.indexes.add(manifest(NEW)).cases.count() == 0
    again.indexes.close()


def test_another_copy_of_the_service__sees_a_switch(settings: SearchSettings) -> None:
    held = InMemory(":memory:")
    made = [assemble(settings, ServerEngine(lambda: held, "copies", ServerOptions())) for _ in range(2)]
    for parts in made:
        assert parts.indexes.live().version == "made-1"
    first, second = made
    first.indexes.add(manifest(NEW))
    first.backfill.switch(Switch(bundle_version=NEW))
    assert second.indexes.answering(NEW).version == NEW, "a refusal looks anew"
    with pytest.raises(WrongLatent, match="this collection of bundle made-2"):
        second.writer.put(*batch(CASES[:1]))
    assert [(one.alias_name, one.collection_name) for one in held.get_aliases().aliases] == [
        ("copies", f"copies--{NEW}")
    ]


def test_search_under_way__ends_on_an_index_that_is_deleted(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.indexes.add(manifest(NEW))
    parts.backfill.switch(Switch(bundle_version=NEW))
    searched, found = parts.indexes.answering("made-1"), []
    monkeypatch.setattr(indexes_module.time, "sleep", lambda _: found.append(searched.cases.digests(["nobody"])))
    parts.backfill.delete("made-1")
    assert found == [{}], "it was open until no search could use it any more"
    parts.indexes.close()


def test_state__that_was_read_before_a_change_does_not_undo_it(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read in the background may be slow and come back after the change."""
    parts = assemble(settings, engine_of(settings))
    before = parts.indexes.state(fresh=True)
    parts.indexes.add(manifest(NEW))
    monkeypatch.setattr(RegistryStore, "read", lambda _: before)
    assert NEW in parts.indexes.state(fresh=True).states
    assert parts.indexes.index(NEW).cases.count() == 0
    parts.indexes.close()


RETRAINED = manifest().model_copy(
    update={"files": manifest().files | {"encoder.onnx": FileDigest(sha256="1" * 64, size=1000)}}
)
REWEIGHTED = manifest(clinical=(1.0, 1.0, 0.5, 1.5))
RENEWED = manifest().model_copy(update={"metrics": {"top_5": 0.5}, "created": datetime(2026, 12, 1, tzinfo=UTC)})


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (RETRAINED, r"encoder\.onnx has sha256 111111111111\.\.\., not 000000000000\.\.\."),
        (REWEIGHTED, "its clinical weights are others"),
    ],
)
def test_another_bundle_of_a_known_version__is_refused(
    engine: Callable[[], Engine], settings: SearchSettings, other: BundleManifest, says: str
) -> None:
    """Else latents of two models lie in one index."""
    parts = assemble(settings, engine())
    parts.writer.put(*batch(CASES))
    with pytest.raises(Conflict, match=f"the index of bundle made-1 was made with another .*: {says}.* of its own"):
        parts.indexes.add(other)
    parts.indexes.close()
    (settings.bundle / "bundle.json").write_text(other.model_dump_json())
    with pytest.raises(Conflict, match=says):
        assemble(settings, engine())
    (settings.bundle / "bundle.json").write_text(RENEWED.model_dump_json())
    again = assemble(settings, engine())
    assert again.indexes.live().manifest == RENEWED, "a calibration may be renewed"
    assert again.indexes.live().cases.count() == 30
    again.indexes.close()


def test_snapshot_of_another_bundle_of_a_known_version__is_refused(settings: SearchSettings) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.writer.put(*batch(CASES))
    parts.snapshots.take("foreign")
    (settings.data / "images" / "snapshots" / "foreign" / "bundle.json").write_text(RETRAINED.model_dump_json())
    with pytest.raises(Conflict, match=r"encoder\.onnx"):
        parts.snapshots.restore("foreign")
    assert parts.indexes.live().cases.count() == 30
    parts.indexes.close()


def test_state__of_an_earlier_release_is_read(settings: SearchSettings) -> None:
    assemble(settings, engine_of(settings)).indexes.close()
    stored = settings.data / "images" / "indexes" / "register.json"
    stored.write_text('{"live": "made-1", "standby": [], "filling": [], "leaving": ["made-0"]}')
    parts = assemble(settings, engine_of(settings))
    assert parts.indexes.state(fresh=True).deleting == ()
    parts.indexes.close()


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda client: client.switch(Switch(bundle_version="nobody")), NotFound, "no index of bundle nobody"),
        (lambda client: client.lag("made-1", None), Conflict, "there is no other to bring cases from"),
        (lambda client: fill(client, CASES[:1], "made-1"), Conflict, "cannot be filled from itself"),
        (lambda client: client.image_in("made-1", "nobody"), NotFound, "no case nobody"),
        (lambda client: client.delete_index("nobody"), NotFound, "no index of bundle nobody"),
    ],
)
def test_bad_input__is_named(client: SearchClient, ask: Callable[[SearchClient], Any], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        ask(client)


def test_fill__refuses_latents_of_another_length(client: SearchClient) -> None:
    client.add_index(manifest(NEW, clinical=(1.0, 1.0)))
    with pytest.raises(BadInput, match=f"case {CASES[0].case.id}: the latent has 4 numbers; bundle made-2 has 2"):
        fill(client, CASES[:1])


def test_files__of_a_deleted_index_are_gone(settings: SearchSettings, tmp_path: Path) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.indexes.add(manifest(NEW))
    assert (settings.data / "index" / f"cases--{NEW}").is_dir()
    parts.backfill.delete(NEW)
    assert not (settings.data / "index" / f"cases--{NEW}").exists()
    parts.indexes.close()
