"""Deletion leaves nothing of a case behind, also where a crash came in between."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from casekin.cli import app as casekin
from casekin.clients.search import SearchClient
from casekin.contracts.search import SearchRequest
from casekin.errors import NotFound, Unavailable
from casekin.launcher.ports import free_port
from services.search.app import assemble, create_app
from services.search.indexing.deleter import Deleter
from services.search.settings import SearchSettings
from services.search.storage.blob_store import BlobStore
from services.search.storage.image_store import ImageStore
from services.search.vector_store.factory import engine_of
from tests.integration.search.made import batch, collection
from tests.serving import serving

CASES = collection(30)
GONE = CASES[4].case


@pytest.fixture
def served(settings: SearchSettings) -> Iterator[str]:
    with serving(create_app(settings)) as url:
        with SearchClient(url, attempts=1) as client:
            client.put_cases(*batch(CASES))
        yield url


def files_of(settings: SearchSettings, *ids: str) -> list[Path]:
    return [file for case_id in ids for file in (settings.data / "images").rglob(f"*{case_id}*")]


def test_case__is_gone_from_every_answer_and_from_the_store(served: str, settings: SearchSettings) -> None:
    with SearchClient(served, user="dr.who", attempts=1) as client:
        before = client.facets(())
        assert len(files_of(settings, GONE.id)) == 2
        done = client.delete_case(GONE.id)
        assert (done.cases, done.files, done.left) == ([GONE.id], 2, 0)
        assert "of the projector have the cases until POST /v1/cases/purge" in done.elsewhere
        assert files_of(settings, GONE.id) == []
        for ask in (client.case, client.image, client.thumbnail):
            with pytest.raises(NotFound):
                ask(GONE.id)
        asked = SearchRequest(bundle_version="made-1", latents=(CASES[4].latent.tolist(),), k=30, one_per_lesion=False)
        assert GONE.id not in {match.case.id for match in client.search(asked).matches}
        assert GONE.id not in {case.id for page in client.latents() for case in page.cases}
        assert client.digests([GONE.id]) == {}
        assert (before.passing, client.facets(()).passing, client.collection().cases) == (30, 29, 29)
        assert client.collection().revision == done.revision
        with pytest.raises(NotFound, match=f"no case {GONE.id}"):
            client.delete_case(GONE.id)
    assert settings.audit_file is not None
    told = [json.loads(line) for line in settings.audit_file.read_text().splitlines()]
    assert ("dr.who", "delete case", GONE.id) in [(one["who"], one["what"], one["subject"]) for one in told]


def test_lesion__goes_with_all_its_cases_and_no_other(served: str, settings: SearchSettings) -> None:
    lesion = "HAM_0000008"
    ids = [one.case.id for one in CASES if one.case.lesion_id == lesion]
    assert len(ids) == 2
    with SearchClient(served, attempts=1) as client:
        done = client.delete_lesion(lesion)
        assert (done.cases, done.files, done.left) == (ids, 4, 0)
        assert client.collection().cases == 28
        with pytest.raises(NotFound, match=f"no case of lesion {lesion}"):
            client.delete_lesion(lesion)
    assert files_of(settings, *ids) == []
    assert len(list((settings.data / "images").rglob("*~*"))) == 56


def test_case__comes_back_with_another_ingest(served: str) -> None:
    with SearchClient(served, attempts=1) as client:
        client.delete_case(GONE.id)
        client.put_cases(*batch(CASES[4:5]))
        assert client.case(GONE.id) == GONE
        assert client.image(GONE.id)[1] == "image/jpeg"


def test_finish__completes_what_a_crash_interrupted(settings: SearchSettings) -> None:
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        client.put_cases(*batch(CASES))
    parts, blobs = assemble(settings, engine_of(settings)), BlobStore(str(settings.data / "images"))

    class Dies(ImageStore):
        def delete_except(self, case_id: str, keys: Collection[str]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Deleter(parts.indexes, Dies(blobs), blobs, parts.snapshots).case(GONE.id)
    parts.indexes.close()
    assert len(files_of(settings, GONE.id)) == 3, "two pictures and the note"
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        assert files_of(settings, GONE.id) == []
        assert client.collection().cases == 29
        np.testing.assert_array_equal([case.id == GONE.id for page in client.latents() for case in page.cases], False)


def test_write__after_a_deletion_cut_short_survives_the_next_start(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.writer.put(*batch(CASES))
    parts.snapshots.take("before")

    def fail(_: object) -> None:
        raise OSError("the image store is gone")

    with monkeypatch.context() as broken:
        broken.setattr(parts.snapshots, "forget", fail)
        with pytest.raises(OSError, match="gone"):
            parts.deleter.case(GONE.id)
    parts.writer.put(*batch(CASES[4:5]))
    parts.indexes.close()
    assert len(files_of(settings, GONE.id)) == 2, "of the new case alone"
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        assert client.case(GONE.id) == GONE
        assert client.image(GONE.id)[1] == "image/jpeg"


def test_deletion__that_leaves_something_says_so_and_is_completed_at_the_next_start(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.writer.put(*batch(CASES))
    with monkeypatch.context() as broken:
        broken.setattr(ImageStore, "delete_except", lambda *_: None)
        assert parts.deleter.case(GONE.id).left == 2
        with pytest.raises(Unavailable, match=rf"the deletion of {GONE.id} is not complete: 2 left"):
            parts.writer.put(*batch(CASES[4:5]))
    parts.indexes.close()
    with serving(create_app(settings)):
        assert files_of(settings, GONE.id) == []


def test_deletion__counts_what_a_snapshot_still_has(settings: SearchSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.writer.put(*batch(CASES))
    parts.snapshots.take("before")
    monkeypatch.setattr(parts.snapshots, "forget", lambda _: None)
    assert parts.deleter.case(GONE.id).left == 3, "a record, an image and a thumbnail"
    parts.indexes.close()


def test_start__leaves_a_case_that_another_copy_deleted_and_wrote_meanwhile(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = assemble(settings, engine_of(settings))
    parts.writer.put(*batch(CASES))
    mark = settings.data / "images" / "deletions" / GONE.id
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    changing = parts.indexes.changing

    class OtherCopyFirst:
        def __enter__(self) -> None:
            mark.unlink(missing_ok=True)  # it completed its deletion, and the case that is stored now is a new one
            changing.__enter__()

        def __exit__(self, *error: Any) -> None:
            changing.__exit__(*error)

        def check(self) -> None:
            changing.check()

    monkeypatch.setattr(parts.indexes, "changing", OtherCopyFirst())
    parts.deleter.finish()
    assert [one.case for one in parts.indexes.live().cases.get([GONE.id])] == [GONE]
    parts.indexes.close()


def test_command__deletes_and_says_what_is_left(served: str) -> None:
    projector = f"http://127.0.0.1:{free_port()}"
    run = CliRunner().invoke(
        casekin, ["delete", "--case", GONE.id, "--search-url", served, "--projector-url", projector]
    )
    assert run.exit_code == 1, "nobody told the projector"
    assert f"{GONE.id}: out of the index, 2 files removed, 0 left" in run.output
    assert "the projector was not reached" in run.output
    both = CliRunner().invoke(casekin, ["delete", "--case", "a", "--lesion", "b"])
    assert both.exit_code == 2
