"""The latents of the collection: its sample, and reading and caching them."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from casekin.clients import SearchClient
from casekin.contracts.cases import Case, LatentPage
from casekin.contracts.collection import Collection, CollectionInfo
from casekin.errors import Conflict
from services.projector.latents.collection_latents import INTERACTIVE_CASES, CollectionReader, stable_sample
from services.projector.storage.deletion_mark import DeletionMark

CASES = [f"ISIC_{number:07d}" for number in range(2000)]


def test_sample__is_all_where_there_are_few() -> None:
    assert stable_sample(CASES, 2000).tolist() == list(range(2000))


def test_sample__mostly_stays_when_cases_are_added() -> None:
    before = {CASES[row] for row in stable_sample(CASES[:1800], 500)}
    after = {CASES[row] for row in stable_sample(CASES, 500)}
    assert len(before) == len(after) == 500
    assert len(before & after) > 430  # of 500, about 500 · 1800 / 2000 stay; a drawn sample would keep some 125


def test_sample__does_not_hang_on_the_order_and_spreads() -> None:
    rows = stable_sample(CASES, 400)
    assert {CASES[row] for row in rows} == {CASES[::-1][row] for row in stable_sample(CASES[::-1], 400)}
    assert 150 < (rows < 1000).sum() < 250


class FakeSearch:
    """A collection of two-dimensional latents; counts how often it is read."""

    def __init__(self, cases: int) -> None:
        self.ids, self.edition, self.reads, self.at_end = [f"C{n:04d}" for n in range(cases)], 1, 0, lambda: None
        self.claimed: int | None = None

    def collection(self) -> Collection:
        return Collection(
            info=CollectionInfo(title="Fake"),
            bundle_version="tiny-1",
            cases=self.claimed or len(self.ids),
            lesions=0,
            revision=f"{self.edition}",
        )

    def latents(self, page_size: int = 3) -> Iterator[LatentPage]:
        self.reads += 1
        ids = list(self.ids)
        for first in range(0, max(len(ids), 1), page_size):
            page = ids[first : first + page_size]
            latents = [[float(case[1:]), -1.5] for case in page]
            yield LatentPage(
                bundle_version="tiny-1", cases=[Case(id=case) for case in page], latents=latents, next=None
            )
        self.at_end()


@pytest.fixture
def search() -> FakeSearch:
    return FakeSearch(7)


@pytest.fixture
def reader(search: FakeSearch, tmp_path: Path) -> CollectionReader:
    return _reader(search, tmp_path)


def _reader(search: FakeSearch, folder: Path) -> CollectionReader:
    return CollectionReader(folder, cast("SearchClient", search), DeletionMark(folder))


@pytest.mark.parametrize("cases", [1, 3, 4, 7])
def test_reader__reads_every_page_to_the_last_case(tmp_path: Path, cases: int) -> None:
    search = FakeSearch(cases)
    read = _reader(search, tmp_path).current()
    assert read.cases == search.ids
    assert read.latents.tolist() == [[float(n), -1.5] for n in range(cases)]


def test_reader__of_another_process_takes_the_file_and_reads_it_once(
    reader: CollectionReader, search: FakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.current()
    other, opened = _reader(search, tmp_path), []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: opened.append(self) or read_bytes(self))
    assert other.current() is other.current()
    assert (search.reads, len([file for file in opened if file.suffix == ".npz"])) == (1, 1)


def test_reader__of_a_large_collection_reads_its_file_once_and_not_at_each_click(
    reader: CollectionReader, search: FakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.current()
    reader.forget()
    search.claimed, search.edition = INTERACTIVE_CASES + 1, 2
    opened, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: opened.append(self) or read_bytes(self))
    first = reader.for_interactive()
    assert first is not None
    assert reader.for_interactive() is first
    assert search.reads == 1, "a click does not wait until it is read"
    assert len(opened) == 1


def test_reader__forgets_a_removed_case_in_the_file_and_in_memory(
    reader: CollectionReader, search: FakeSearch, tmp_path: Path
) -> None:
    reader.current()
    search.claimed, search.edition = INTERACTIVE_CASES + 1, 2
    other = _reader(search, tmp_path)
    assert "C0003" in other.for_interactive().cases
    assert reader.remove(frozenset({"C0003", "unknown"})) == 1
    assert reader.remove(frozenset({"C0003"})) == 0
    for one in (reader, other):
        found = one.for_interactive()
        assert found.cases == [case for case in search.ids if case != "C0003"]
        assert found.latents[:, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert "C0003" not in reader.stored_ids()


def test_reader__reads_again_where_a_case_is_deleted_while_it_reads(
    reader: CollectionReader, search: FakeSearch, tmp_path: Path
) -> None:
    def delete_unseen() -> None:
        """After the last page, and before the revision is looked at by the purge."""
        search.at_end = lambda: None
        search.ids.remove("C0005")
        DeletionMark(tmp_path).renew()

    search.at_end = delete_unseen
    assert "C0005" not in reader.current().cases
    assert "C0005" not in reader.stored_ids()
    assert search.reads == 2


def test_reader__of_a_collection_that_keeps_changing_gives_up_by_name(
    reader: CollectionReader, search: FakeSearch
) -> None:
    def change() -> None:
        search.edition += 1

    search.at_end = change
    with pytest.raises(Conflict, match="keeps changing"):
        reader.current()
    assert reader.stored_ids() == set()


def test_reader__leaves_one_file_of_the_latest_revision(
    reader: CollectionReader, search: FakeSearch, tmp_path: Path
) -> None:
    reader.current()
    search.ids.append("C0099")
    search.edition = 2
    assert reader.current().cases[-1] == "C0099"
    assert len(list(tmp_path.rglob("*.npz"))) == 1
