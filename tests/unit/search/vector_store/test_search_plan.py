"""When a search scans, follows the graph, or follows it past cases that fail the filter."""

import pytest

from services.search.vector_store.named_vectors import Space
from services.search.vector_store.search_plan import DENSE, EXACT_BELOW, Plan, linked_from, plan_search

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("space", "cases", "passing", "linked", "plan"),
    [
        ("visual", EXACT_BELOW - 1, None, 4000, "exact"),
        ("visual", EXACT_BELOW - 1, EXACT_BELOW - 1, 4000, "exact"),
        ("visual", EXACT_BELOW, None, 4000, "graph"),
        ("clinical", MILLION, int(DENSE * MILLION), 4000, "graph"),
        ("clinical", MILLION, int(DENSE * MILLION) - 1, 4000, "exact"),
        ("clinical", 4 * MILLION, EXACT_BELOW, 4000, "acorn"),
        ("clinical", 4 * MILLION, int(4 * DENSE * MILLION), 4000, "graph"),
        ("clinical", MILLION, 60_000, 80_000, "acorn"),
        ("clinical", MILLION, 80_000, 80_000, "graph"),
        ("weighted", MILLION, None, 4000, "exact"),
        ("weighted", MILLION, MILLION, 4000, "exact"),
    ],
)
def test_plan(space: Space, cases: int, passing: int | None, linked: int, plan: Plan) -> None:
    assert plan_search(space, cases, None if passing is None else lambda: passing, linked) == plan


def test_plan__does_not_count_where_it_scans_anyway() -> None:
    def count() -> int:
        raise AssertionError("counted")

    assert plan_search("visual", 10_000, count, 4000) == "exact"
    assert plan_search("weighted", MILLION, count, 4000) == "exact"


def test_linked_from__is_the_engine_threshold_in_cases() -> None:
    assert linked_from(500, 32) == 4000
    assert linked_from(10_000, 32) == 80_000
