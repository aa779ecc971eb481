"""When to scan, when to follow the graph, and when to follow it past cases that fail the filter: for both engines."""

from collections.abc import Callable
from typing import Literal

from services.search.vector_store.named_vectors import Space

Plan = Literal["exact", "graph", "acorn"]
"""Compare with every case that passes; search the HNSW graph; search it through failing cases too (ACORN-1)."""
EXACT_BELOW = 50_000
"""Cases up to which comparing with all is as fast as the graph, and never misses."""
DENSE = 0.05
"""Share of cases from which on a filtered graph search reaches them by the graph's own links: of 200,000 cases
recall@10 is 0.99 to 1.00 in 1 ms where 6 to 54 % pass, and 0.82 to 0.96 where 1.6 to 3.4 % pass several conditions."""
EF = 256
"""Candidates that a graph search keeps."""


def plan_search(space: Space, cases: int, passing: Callable[[], int] | None, linked_from: int) -> Plan:
    """How to search `space` of an index of `cases` cases.

    `passing` estimates how many cases pass the filter and is called only if it matters; none without a filter.
    Values that at least `linked_from` cases have are linked among themselves in the graph.
    """
    if space == "weighted" or cases < EXACT_BELOW:  # no graph serves weights that change with each query
        return "exact"
    if passing is None:
        return "graph"
    estimate = passing()
    if estimate >= max(DENSE * cases, linked_from):
        return "graph"
    return "exact" if estimate < EXACT_BELOW else "acorn"


def linked_from(full_scan_kb: int, D: int) -> int:
    """Cases from which a payload value gets links of its own, by Qdrant's `full_scan_threshold` in KB of vectors."""
    return full_scan_kb * 1024 // (4 * D)
