"""A table with latents comes in without an encoder."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo
from casekin.errors import BadInput, Conflict, NotFound, Unavailable
from casekin.ingest import Kind, Outcome
from casekin.ingest.encoding import case_digest
from casekin.ingest.importing import Images, import_table
from casekin.parquet import CaseTable, CaseTableWriter, TableRow
from tests.unit.ingest.fakes import VERSION, FakeSearch

INFO = CollectionInfo(title="Clinic")


def table_row(number: int, **changes: object) -> TableRow:
    fields = {"case": Case(id=f"c{number}", age=number), "digest": None, "bundle_version": VERSION, "latent": [0.5]}
    return TableRow(**(fields | changes))  # type: ignore[arg-type]


def written(file: Path, rows: list[TableRow], info: CollectionInfo = INFO) -> CaseTable:
    with file.open("wb") as stream, CaseTableWriter(stream, info) as writer:
        writer.add(rows, {"c1": (1.0, 2.0)})
    return CaseTable(file)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for number in range(3):
        (folder / "deeper" / f"c{number}.jpg").write_bytes(bytes(number + 1))
    return folder


def test_import_table__stores_cases_with_the_latents_of_the_table(tmp_path: Path, pictures: Path) -> None:
    search, outcomes = FakeSearch(), []
    rows = [table_row(0), table_row(1, digest="a" * 64, latent=[0.25, 2.0]), table_row(2)]
    summary = import_table(written(tmp_path / "t", rows), search, Images(pictures, search), outcomes.append)
    assert summary.counts == {Kind.INGESTED: 3}
    assert [(outcome.id, outcome.reason) for outcome in outcomes] == [("c0", ""), ("c1", ""), ("c2", "")]
    assert search.described == [INFO]
    assert search.versions == {VERSION}
    assert search.stored["c1"].latent == [0.25, 2.0]
    assert search.stored["c1"].digest == "a" * 64
    assert search.stored["c2"].digest == case_digest(bytes(3), Case(id="c2", age=2))
    assert search.images == {f"c{number}": bytes(number + 1) for number in range(3)}


def test_import_table__without_a_folder_takes_the_images_that_search_has(tmp_path: Path) -> None:
    search, outcomes = FakeSearch(), []
    search.images["c0"] = b"kept"
    summary = import_table(
        written(tmp_path / "t", [table_row(0), table_row(1)]), search, Images(None, search), outcomes.append
    )
    assert search.images == {"c0": b"kept"}
    assert summary.skipped_by_code == {"not-found": 1}
    assert "case c1 has no image: the collection does not have it, nor the folder" in outcomes[0].reason
    assert outcomes[0].id == "c1"


def test_import_table__table_of_another_bundle_is_refused_before_the_first_is_stored(tmp_path: Path) -> None:
    search = FakeSearch()
    table = written(tmp_path / "t", [table_row(0), table_row(1, bundle_version="other-2")])
    with pytest.raises(Conflict, match=r"case c1 of the table has a latent of bundle other-2.*is of tiny-1"):
        import_table(table, search, Images(None, search))
    assert (search.batches, search.described) == ([], [])


def test_import_table__id_that_occurs_twice_is_refused_before_the_first_is_stored(tmp_path: Path) -> None:
    search = FakeSearch()
    table = written(tmp_path / "t", [table_row(0), table_row(1), table_row(0)])
    with pytest.raises(BadInput, match="row 3: case c0 is on row 1 already"):
        import_table(table, search, Images(None, search))
    assert search.batches == []


def test_import_table__latent_that_cannot_be_is_an_outcome_with_the_value(tmp_path: Path, pictures: Path) -> None:
    search, outcomes = FakeSearch(), []
    rows = [table_row(0, latent=[1e30]), table_row(1, digest="no digest"), table_row(2)]
    import_table(written(tmp_path / "t", rows), search, Images(pictures, search), outcomes.append)
    assert list(search.stored) == ["c2"]
    assert [outcome.code for outcome in outcomes] == ["bad-input", "bad-input", ""]
    assert "case c0: latent.0: " in outcomes[0].reason
    assert "case c1: digest: " in outcomes[1].reason


def test_import_table__error_that_would_meet_every_case_ends_it(tmp_path: Path) -> None:
    search = FakeSearch()

    def away(*_: object) -> tuple[bytes, str]:
        raise Unavailable("search does not answer")

    search.image = away  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        import_table(written(tmp_path / "t", [table_row(0)]), search, Images(None, search))


def test_import_table__without_a_description_keeps_that_of_the_collection(tmp_path: Path, pictures: Path) -> None:
    search = FakeSearch(INFO)
    written(tmp_path / "t", [table_row(0)])
    pq.write_table(pq.read_table(tmp_path / "t").replace_schema_metadata(None), tmp_path / "bare")
    import_table(CaseTable(tmp_path / "bare"), search, Images(pictures, search))
    assert search.info == INFO
    assert search.described == []


def test_images__of_two_files_of_one_name_are_named_and_neither_is_taken(tmp_path: Path, pictures: Path) -> None:
    (pictures / "c1.png").write_bytes(b"another")
    search, outcomes = FakeSearch(), []
    table = written(tmp_path / "t", [table_row(1)])
    import_table(table, search, Images(pictures, search), outcomes.append)
    assert search.stored == {}
    assert [outcome.code for outcome in outcomes] == ["ambiguous-image"]
    assert "deeper/c1.jpg" in outcomes[0].reason
    assert "c1.png" in outcomes[0].reason


@pytest.mark.parametrize("case_id", ["2023.05.12_pat7", "a/b", "größe (2)", "x.jpg", ".hidden", "50%", "~me"])
def test_images__are_found_by_the_names_that_export_gives_them(tmp_path: Path, case_id: str) -> None:
    from casekin.contracts.paths import file_stem

    (tmp_path / f"{file_stem(case_id)}.jpg").write_bytes(b"x")
    assert Images(tmp_path, FakeSearch()).read(case_id) == b"x"
    with pytest.raises(NotFound, match="has no image"):
        Images(tmp_path, FakeSearch()).read("another")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": pa.array(["x"])}, "row 1: age: "),
        ({"attributes": pa.array([5])}, "row 1: attributes: "),
        ({"attributes": pa.array(["x"])}, "row 1: attributes: "),
        ({"id": pa.array([7])}, "row 1: id: "),
        ({"id": pa.array([None], pa.string())}, "row 1: id: "),
        ({"sex": pa.array(["x" * 1000])}, "at most 500"),
        ({"latent": pa.array([[]], pa.list_(pa.float32()))}, r"row 1 \(case c0\) has no latent, or no bundle"),
        ({"bundle": pa.array([""])}, r"row 1 \(case c0\) has no latent, or no bundle"),
    ],
)
def test_case_table__cell_of_a_wrong_kind_is_named(tmp_path: Path, change: dict[str, pa.Array], words: str) -> None:
    written(tmp_path / "t", [table_row(0)])
    table = pq.read_table(tmp_path / "t")
    for name, column in change.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, tmp_path / "t")
    with pytest.raises(BadInput, match=words):
        list(CaseTable(tmp_path / "t").rows())


def test_case_table__description_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    written(tmp_path / "t", [table_row(0)])
    table = pq.read_table(tmp_path / "t")
    for text in (b"{", b'{"title": 5}', b'{"title": "x", "colour": 1}'):
        pq.write_table(table.replace_schema_metadata({b"casekin.collection": text}), tmp_path / "t")
        with pytest.raises(BadInput, match="describes its collection wrongly: "):
            _ = CaseTable(tmp_path / "t").info


def test_case_table__damage_within_the_rows_is_named(tmp_path: Path) -> None:
    written(tmp_path / "t", [table_row(number) for number in range(50)])
    data = bytearray((tmp_path / "t").read_bytes())
    data[40:400] = bytes(360)
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(BadInput, match=r"t is damaged after row 0|is no Parquet file"):
        list(CaseTable(tmp_path / "t").rows())


def test_outcome_of_import__is_recorded_once_per_row(tmp_path: Path, pictures: Path) -> None:
    search, outcomes = FakeSearch(), list[Outcome]()
    rows = [table_row(number) for number in range(6)]
    summary = import_table(written(tmp_path / "t", rows), search, Images(pictures, search), outcomes.append)
    assert sorted(outcome.id for outcome in outcomes) == [f"c{number}" for number in range(6)]
    assert summary.done == 6
