"""A table goes out of one collection and into another one, and both are the same; what is wrong with one is named."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from casekin.cli import app as casekin
from casekin.clients.search import SearchClient
from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo
from casekin.contracts.search import SearchRequest
from casekin.errors import BadInput, CasekinError, Conflict
from casekin.ingest import Kind, Outcome
from casekin.ingest.importing import Images, import_table
from casekin.parquet import CaseTable
from services.projector.tasks.export import write_table
from services.search.app import create_app
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, collection, image, stored
from tests.serving import serving

CASES = [*collection(40), stored("ISIC_9000000", [1, 2, 3, 4], attributes={"camera": "Ä 2", "ward": "b"})]
INFO = CollectionInfo(title="Made", licence="none", labels={"site": {"back": "Rücken"}})
PLACES = {CASES[0].case.id: (1.5, -2.0)}


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[tuple[SearchClient, SearchClient]]:
    """Of a full collection and of an empty one."""
    made = []
    for name in ("full", "empty"):
        (tmp_path / name).mkdir()
        made.append(create_app(settings_in(tmp_path / name)))
    with (
        serving(made[0]) as full,
        serving(made[1]) as empty,
        SearchClient(full, attempts=1) as first,
        SearchClient(empty, attempts=1) as second,
    ):
        first.describe_collection(INFO)
        first.put_cases(*batch(CASES))
        yield first, second


@pytest.fixture
def table(clients: tuple[SearchClient, SearchClient], tmp_path: Path) -> Path:
    file = tmp_path / "all.parquet"
    with file.open("wb") as stream:
        write_table(stream, clients[0], PLACES, lambda _: None)
    return file


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures" / "deeper"
    folder.mkdir(parents=True)
    for one in CASES:
        (folder / f"{one.case.id}.jpg").write_bytes(image(one.case.id))
    return folder.parent


def all_of(client: SearchClient) -> tuple[list[Case], list[list[float]], dict[str, str]]:
    (page,) = client.latents()
    return page.cases, page.latents, client.digests([case.id for case in page.cases])


def answer(client: SearchClient) -> str:
    asked = SearchRequest(bundle_version="made-1", latents=([0.1, 0.2, 0.3, 0.4],), k=20)
    return client.search(asked).model_copy(update={"revision": ""}).model_dump_json()


def test_import__makes_the_same_collection_elsewhere(
    clients: tuple[SearchClient, SearchClient], table: Path, pictures: Path
) -> None:
    first, second = clients
    run = CliRunner().invoke(
        casekin, ["import", str(table), "--images", str(pictures), "--search-url", str(second._http.base_url)]
    )
    assert run.exit_code == 0, run.output
    assert "41 ingested, 0 replaced, 0 skipped" in run.output
    assert all_of(second) == all_of(first)
    assert second.collection().info == INFO
    assert answer(second) == answer(first)
    for one in CASES[::10]:
        assert second.image(one.case.id) == first.image(one.case.id)


def test_import__corrects_what_is_there_and_needs_no_images_for_it(
    clients: tuple[SearchClient, SearchClient], table: Path
) -> None:
    first, _ = clients
    held = pq.read_table(table)
    sites = ["foot", *held["site"].to_pylist()[1:]]
    pq.write_table(held.set_column(held.schema.get_field_index("site"), "site", pa.array(sites)), table)
    before = first.image(CASES[0].case.id)
    summary = import_table(CaseTable(table), first, Images(None, first))
    assert summary.counts == {Kind.REPLACED: 41}
    assert first.case(CASES[0].case.id).site == "foot"
    assert all_of(first)[0][1:] == [one.case for one in CASES[1:]]
    assert first.image(CASES[0].case.id) == before


def test_import__names_cases_without_an_image(clients: tuple[SearchClient, SearchClient], table: Path) -> None:
    told: list[Outcome] = []
    summary = import_table(CaseTable(table), clients[1], Images(None, clients[1]), told.append)
    assert (summary.counts[Kind.SKIPPED], clients[1].collection().cases) == (41, 0)
    assert told[0].code == "not-found"
    assert f"case {CASES[0].case.id} has no image" in told[0].reason


def test_import__of_another_bundle_stores_nothing(
    clients: tuple[SearchClient, SearchClient], table: Path, pictures: Path
) -> None:
    held = pq.read_table(table)
    bundles = pa.array(["made-1"] * 40 + ["made-2"])
    pq.write_table(held.set_column(held.schema.get_field_index("bundle"), "bundle", bundles), table)
    with pytest.raises(Conflict, match=r"ISIC_9000000 of the table has a latent of bundle made-2, .*made-1"):
        import_table(CaseTable(table), clients[1], Images(pictures, clients[1]))
    assert clients[1].collection().cases == 0


def test_import__takes_a_plain_table_of_another_tool(
    clients: tuple[SearchClient, SearchClient], tmp_path: Path, pictures: Path
) -> None:
    one, file = CASES[3], tmp_path / "plain.parquet"
    plain = {"id": [one.case.id], "bundle": ["made-1"], "latent": [one.latent.astype(np.float64).tolist()]}
    pq.write_table(pa.table(plain), file)
    import_table(CaseTable(file), clients[1], Images(pictures, clients[1]))
    cases, latents, digests = all_of(clients[1])
    assert cases == [Case(id=one.case.id)]
    assert latents == [one.latent.tolist()]
    assert len(digests[one.case.id]) == 64


def without(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda held: held.drop_columns([column])


def changed(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(held: pa.Table) -> pa.Table:
        lines = held.to_pylist()
        lines[4][column] = value
        return pa.Table.from_pylist(lines)

    return change


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (without("latent"), BadInput, "has no column latent"),
        (without("bundle"), BadInput, "has no column bundle"),
        (changed("id", "a\nb"), BadInput, r"row 5: id: 'a\\nb' has the character U\+000A"),
        (changed("id", CASES[0].case.id), BadInput, "row 5: case .* is on row 1 already"),
        (changed("age", 900.0), BadInput, r"row 5: age: .*less than or equal to 130 \(got 900.0\)"),
        (changed("id", "i" * 201), BadInput, r"row 5: id: '.*' has 201 characters; at most 200"),
        (changed("latent", None), BadInput, "row 5 .* has no latent"),
    ],
)
def test_table__that_cannot_be_is_named(
    clients: tuple[SearchClient, SearchClient],
    table: Path,
    change: Callable[[pa.Table], pa.Table],
    error: type[CasekinError],
    says: str,
) -> None:
    pq.write_table(change(pq.read_table(table)), table)
    with pytest.raises(error, match=says):
        import_table(CaseTable(table), clients[1], Images(None, clients[1]))


def test_table__that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.parquet"
    file.write_bytes(b"id,latent\n")
    with pytest.raises(BadInput, match="is no Parquet file"):
        CaseTable(file)


def test_command__without_pyarrow_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "table.parquet").write_bytes(b"")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from casekin.cli import app; app()"
    command = [sys.executable, "-c", code, tmp_path, "import", tmp_path / "table.parquet", "--search-url", "http://x"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "install casekin[table]" in done.stderr
