"""Whatever ``PUT /v1/cases`` accepts, every route can answer and every filter can choose."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from casekin.clients.search import SearchClient
from casekin.contracts.base import LONGEST_CELL, LONGEST_CODE, LONGEST_ID
from casekin.contracts.cases import MOST_COLUMNS, Case, CaseBatch, CaseUpload
from casekin.contracts.collection import CollectionInfo
from casekin.contracts.conditions import AnyOf
from casekin.contracts.facets import Facets
from casekin.contracts.paths import file_stem
from casekin.contracts.search import SearchRequest
from casekin.errors import BadInput, NotFound
from casekin.parquet import CaseTable, CaseTableWriter, TableRow
from services.search.app import create_app
from services.search.settings import SearchSettings
from services.search.vector_store import payload
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, image, stored
from tests.serving import serving

DIGEST = "0" * 64
AWKWARD = [
    "Zürich 12 (2)", "2026/0815", "..", ".", "a/../b", "50%", "50%25", "%2F", "a\\b", 'a"b', "a;b", "a?b#c", "a~b",
    "皮膚 7", "e\u0301tude", " padded ", "x" * LONGEST_ID, "ü" * LONGEST_ID, "CON", "a.", "a:b", "[x]", "{y}",
]  # fmt: skip
BEYOND = ["", " ", "a\x00b", "a\nb", "x" * (LONGEST_ID + 1), "\ud800", "\u2028"]
TEXTS = st.one_of(
    st.sampled_from([*AWKWARD, *BEYOND, "x" * LONGEST_CODE, "x" * (LONGEST_CODE + 1), "two\nlines", "no\u00a0break"]),
    st.text(max_size=20),
)
CELLS = st.one_of(TEXTS, st.sampled_from(["x" * 501, "a\r\nb", "x" * LONGEST_CELL, "x" * (LONGEST_CELL + 1), "a\x0bb"]))
COLUMNS = st.sampled_from(["centre", "report", "a.b", "Größe (mm)", 'the "best"', "x" * 90])
CODES = st.none() | TEXTS
RAW = st.fixed_dictionaries(
    {"id": TEXTS | st.sampled_from(AWKWARD), "attributes": st.dictionaries(COLUMNS, CELLS, min_size=1, max_size=3)},
    optional={
        "lesion_id": CODES,
        "diagnosis": CODES,
        "evidence": CODES,
        "sex": CODES,
        "site": CODES,
        "source": CODES,
        "age": st.none() | st.floats(-1, 200),
    },
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchClient]:
    app = create_app(settings_in(tmp_path_factory.mktemp("answerable")))
    with serving(app) as url, SearchClient(url, attempts=1) as client:
        client.put_cases(*batch([stored("other", [1, 1, 1, 1], diagnosis="nv", attributes={"centre": "A"})]))
        yield client


def put(client: SearchClient, case: Case) -> None:
    cases = CaseBatch(bundle_version="made-1", cases=[CaseUpload(case=case, latent=[0.5, 0, 0, 0], digest=DIGEST)])
    client.put_cases(cases, {case.id: image("one")})


def accepted(raw: dict[str, Any]) -> Case | None:
    try:
        return Case.model_validate(raw)
    except ValueError:
        return None


@limits(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(raw=RAW)
def test_accepted_case__is_answered_by_every_route(client: SearchClient, raw: dict[str, Any]) -> None:
    case = accepted(raw)
    assume(case is not None)
    assert case is not None
    put(client, case)
    assert client.case(case.id) == case
    assert client.image(case.id)[0]
    assert client.thumbnail(case.id)[0]
    assert client.digests([case.id]) == {case.id: DIGEST}
    assert case in [one for page in client.latents(page_size=1) for one in page.cases]
    assert client.collection().cases == 2
    assert_every_facet_can_be_chosen(client, client.facets(()))
    found = client.search(SearchRequest(bundle_version="made-1", latents=([0.5, 0, 0, 0.1],), k=2))
    assert case in [match.case for match in found.matches] + [own.case for own in found.own]
    assert client.search(SearchRequest(bundle_version="made-1", case=case.id)).own
    if case.lesion_id is None:
        assert client.delete_case(case.id).cases == [case.id]
    else:
        assert client.delete_lesion(case.lesion_id).cases == [case.id]
    with pytest.raises(NotFound):
        client.case(case.id)
    assert client.collection().cases == 1


def assert_every_facet_can_be_chosen(client: SearchClient, facets: Facets) -> None:
    for field, values in facets.fields.items():
        for one in values:
            if one.count and one.value is not None:
                chosen = client.facets((AnyOf(field=field, values=(one.value,)),))
                assert chosen.passing == one.count, (field, one)


@given(raw=RAW)
def test_accepted_case__survives_the_table(raw: dict[str, Any]) -> None:
    if (case := accepted(raw)) is None:
        return
    file = io.BytesIO()
    with CaseTableWriter(file, CollectionInfo(title="t")) as writer:
        writer.add([TableRow(case, DIGEST, "made-1", [0.5])], {})
    assert [row.case for row in CaseTable(io.BytesIO(file.getvalue())).rows()] == [case]  # type: ignore[arg-type]


@given(raw=RAW)
def test_accepted_case__is_accepted_again_as_it_is(raw: dict[str, Any]) -> None:
    if (case := accepted(raw)) is not None:
        assert Case.model_validate_json(case.model_dump_json()) == case


@pytest.mark.parametrize("cell", ["x" * 501, "", "one\ntwo", "x" * LONGEST_CELL])
def test_cell_that_is_no_value__leaves_the_facets_whole(client: SearchClient, cell: str) -> None:
    put(client, Case(id="long", attributes={"centre": "B", "report": cell}))
    try:
        centres = {one.value: one.count for one in client.facets(()).fields["attributes.centre"]}
        assert centres == {"A": 1, "B": 1}
    finally:
        client.delete_case("long")


@pytest.mark.parametrize("case_id", AWKWARD)
def test_id_as_hospitals_have_it__goes_the_whole_way(client: SearchClient, case_id: str) -> None:
    case = Case(id=case_id, lesion_id=case_id)
    put(client, case)
    try:
        assert client.case(case.id) == case
        assert client.thumbnail(case.id)[1] == "image/jpeg"
        assert client.search(SearchRequest(bundle_version="made-1", case=case.id)).own[0].case == case
    finally:
        assert client.delete_lesion(case_id).files == 2


@pytest.mark.parametrize("case_id", AWKWARD)
def test_id__makes_a_file_name_of_its_own(case_id: str) -> None:
    stems = {file_stem(Case(id=other).id) for other in AWKWARD}
    assert len(stems) == len(AWKWARD)
    stem = file_stem(case_id)
    assert len(f"{stem}.jpg".encode()) <= 255
    assert not set(stem) & set('/\\:*?"<>|\0')
    assert stem not in (".", "..", "CON")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"id": "x" * 201}, "has 201 characters; at most 200 are allowed"),
        ({"id": ""}, "the text is empty; it must have 1 to 200 characters"),
        ({"id": "a\x07b"}, r"'a\x07b' has the character U+0007 at position 2"),
        ({"id": "a", "site": "s" * 501}, "has 501 characters; at most 500 are allowed"),
        ({"id": "a", "attributes": {str(i): "x" for i in range(501)}}, "has 501 further columns; at most 500"),
        ({"id": "a", "attributes": {"r": "x" * 10_001}}, "has 10001 characters; at most 10000 are allowed"),
        ({"id": "a", "attributes": {str(i): "x" * 9000 for i in range(12)}}, "have 108000 characters in all; at most"),
    ],
)
def test_text_beyond_a_limit__is_refused_by_value_and_limit(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Case.model_validate(raw)
    assert told in str(caught.value)


def test_more_columns_than_can_be_filtered__are_kept_and_the_first_are_counted(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "MOST_FILTERABLE", 3)  # an index of a column takes the engine a third of a second
    case = Case(id="wide", attributes={f"column {i:03}": "x" for i in range(MOST_COLUMNS)})
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        put(client, case)
        put(client, case.model_copy(update={"id": "wide 2"}))
        assert client.case("wide") == case
        facets = client.facets(()).fields
        assert [name for name in facets if name.startswith("a")] == [f"attributes.column {i:03}" for i in range(3)]
        with pytest.raises(BadInput, match="cannot be filtered by 'attributes"):
            client.facets((AnyOf(field="attributes.column 003", values=("x",)),))
