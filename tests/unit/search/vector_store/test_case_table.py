"""Counting on columns in memory is counting by the engine, for any conditions and values."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekin.contracts.cases import Case
from casekin.contracts.conditions import Condition
from services.search.vector_store.edge.case_table import CaseTable
from services.search.vector_store.edge.filters import edge_filter
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.payload import payload_key
from tests.integration.search.made import CLINICAL, stored
from tests.integration.search.test_search_exact import condition, passes

CASES = [
    stored(
        f"c{i}",
        [0, 0, 0, 0],
        site=[None, "back", "face"][i % 3],
        sex=[None, "male", "female", "male"][i % 4],
        age=[None, 0.0, 10.0, 35.0, 60.0, 80.5][i % 6],
        lesion_id=[None, "L1", "L2"][i // 3 % 3],
        diagnosis="nv",
        attributes=[{}, {"lens": "D3"}, {"lens": "D5", "b": "x"}][i // 2 % 3],
    )
    for i in range(72)
]
FIELDS = ("site", "sex", "lesion_id", "diagnosis", "attributes.lens", "attributes.b")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> EdgeIndex:
    index = EdgeIndex(Path(tmp_path_factory.mktemp("table")) / "index", CLINICAL)
    index.upsert(CASES)
    return index


@given(st.lists(condition, max_size=3), st.sampled_from(FIELDS))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_count_and_facet__are_those_of_the_engine(index: EdgeIndex, asked: list[Condition], field: str) -> None:
    table = CaseTable([one.case for one in CASES])
    passing = [one.case for one in CASES if all(passes(one.case, part) for part in asked)]
    assert table.count(asked) == index._shard.count(edge_filter(asked)) == len(passing)
    by_engine = index._shard.facet(payload_key(field), edge_filter(asked), limit=100)
    assert table.facet(field, asked) == by_engine


def test_facet__of_a_field_that_no_case_has_is_empty() -> None:
    assert CaseTable([Case(id="a")]).facet("attributes.lens", ()) == {}
