"""Names of dimensions: who, when, history, undo, and what a crash may leave."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casekin.contracts.bundle import BundleManifest
from casekin.errors import BadInput, Conflict, NotFound
from services.projector.storage.dimension_names import DimensionNameStore

MANIFEST = BundleManifest.model_validate(BundleManifest.model_config["json_schema_extra"]["example"])
NEXT = MANIFEST.model_copy(update={"version": "next-1"})


@pytest.fixture
def book(tmp_path: Path) -> DimensionNameStore:
    return DimensionNameStore(tmp_path / "names")


def test_names__are_the_bundles_until_somebody_changes_one(book: DimensionNameStore) -> None:
    assert book.names(MANIFEST).names == ["Dimension 1", "Dimension 2"]
    change = book.rename(MANIFEST, 1, "Size", "dr.lee")
    assert (change.before, change.by, change.undo) == ("Dimension 2", "dr.lee", False)
    told = book.names(MANIFEST)
    assert (told.names, told.changed) == (["Dimension 1", "Size"], [1])
    assert book.names(NEXT).names == ["Dimension 1", "Dimension 2"], "another model has other dimensions"


def test_undo__goes_back_a_change_at_a_time_and_is_itself_told(book: DimensionNameStore) -> None:
    for name, by in (("Size", "a"), ("Width", "b")):
        book.rename(MANIFEST, 0, name, by)
    assert book.undo(MANIFEST, 0, "Width", "c").name == "Size"
    assert book.undo(MANIFEST, 0, "Width", "c").name == "Size", "an answer that was lost is asked for again"
    assert book.undo(MANIFEST, 0, "Size", "d").name == "Dimension 1"
    with pytest.raises(Conflict, match="nothing to undo"):
        book.undo(MANIFEST, 0, "Dimension 1", "e")
    with pytest.raises(Conflict, match="named Dimension 1 by now, not Hair"):
        book.undo(MANIFEST, 0, "Hair", "e")
    book.rename(MANIFEST, 0, "Border", "f")
    assert book.names(MANIFEST).names[0] == "Border"
    history = book.history(MANIFEST, 0)
    assert history.default == "Dimension 1"
    assert [(one.name, one.before, one.by, one.undo) for one in history.changes] == [
        ("Border", "Dimension 1", "f", False),
        ("Dimension 1", "Size", "d", True),
        ("Size", "Width", "c", True),
        ("Width", "Size", "b", False),
        ("Size", "Dimension 1", "a", False),
    ]
    assert book.history(MANIFEST, 1).changes == []


def test_rename__to_anothers_name_or_of_no_dimension_is_refused(book: DimensionNameStore) -> None:
    book.rename(MANIFEST, 0, "Size", "a")
    with pytest.raises(BadInput, match="dimension 1 is named size already"):
        book.rename(MANIFEST, 1, "size", "b")
    book.rename(MANIFEST, 0, "SIZE", "a")
    with pytest.raises(NotFound, match=r"no dimension 2; .* has 0 to 1"):
        book.rename(MANIFEST, 2, "Hair", "a")
    with pytest.raises(NotFound):
        book.history(MANIFEST, -1)


def test_book__is_shared_by_writers_and_outlives_a_half_written_line(book: DimensionNameStore, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: DimensionNameStore(tmp_path / "names").rename(MANIFEST, 0, f"Name {n}", "a"), range(40))
        )
    assert len(book.history(MANIFEST, 0).changes) == 40
    file = tmp_path / "names" / f"{MANIFEST.version}.jsonl"
    with file.open("ab") as stream:
        stream.write(b'{"dimension": 0, "name": "Lo')
    before = book.names(MANIFEST)
    book.rename(MANIFEST, 1, "Hair", "a")
    assert book.names(MANIFEST).names == [before.names[0], "Hair"]
    assert len(book.history(MANIFEST, 0).changes) == 40
