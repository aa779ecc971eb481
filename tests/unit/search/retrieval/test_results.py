"""Contributions, order and conditions of results, against values worked out by hand."""

import numpy as np
import pytest

from casekin.contracts.cases import Case
from casekin.contracts.conditions import AnyOf, Between, Not, Or, leaves, without
from casekin.contracts.neighbours import NeighbourStatistics
from casekin.contracts.search import Match
from services.search.retrieval.deduplication import Group
from services.search.retrieval.query import ResolvedQuery
from services.search.retrieval.query_point import QueryPoint
from services.search.retrieval.ranking import Candidates, Ranking
from services.search.retrieval.results import ResultBuilder, ordered
from services.search.retrieval.similarity import Similarity
from services.search.vector_store.named_vectors import Metric
from tests.integration.search.made import manifest, stored

MADE = manifest()  # visual: 0.9 at 0 to 0.4 at 5; clinical: 0.95 to 0.4
VISUAL = Metric("visual", np.ones(4))
STATISTICS = NeighbourStatistics(
    neighbours=0, diagnoses=[], agreement=0, conformal=None, out_of_distribution=None, uncalibrated="made up"
)


def test_matches__carry_case_shares_and_who_stands_behind() -> None:
    found = [stored("a", [2, 0, 0, 1.5], age=3), stored("b", [2, 0, 0, 1.6])]
    target = QueryPoint(VISUAL, np.zeros((1, 4)), np.zeros(4))
    ranking = Ranking(
        ResolvedQuery(target, ()), Candidates.of(found, target), [Group(0, [(1, "lesion")], more_hidden=True)]
    )
    [match] = ResultBuilder(ranking, target, Similarity(MADE)).matches(ranking.groups, STATISTICS, {})
    assert match.case == Case(id="a", age=3)
    assert match.distance == 2.5
    assert match.contributions == [0.64, 0, 0, 0.36]
    assert match.similarity == pytest.approx(0.65)
    assert match.more_hidden
    [behind] = match.hidden
    assert (behind.case, behind.reason) == ("b", "lesion")
    assert behind.distance == pytest.approx(float(np.hypot(2, 1.6)))


def test_ordered__by_evidence_or_age_with_the_unknown_last() -> None:
    def told(case_id: str, evidence: str | None, age: float | None) -> Match:
        case = Case(id=case_id, evidence=evidence, age=age)
        return Match(case=case, distance=1, similarity=1, contributions=[])

    matches = [told("a", "consensus", 50), told("b", None, 0), told("c", "histo", None), told("d", "consensus", 30)]
    weights = {"consensus": 0.5}
    assert [m.case.id for m in ordered(matches, "distance", weights)] == ["a", "b", "c", "d"]
    assert [m.case.id for m in ordered(matches, "evidence", weights)] == ["c", "a", "d", "b"]
    assert [m.case.id for m in ordered(matches, "age", weights)] == ["b", "d", "a", "c"]


def test_without__leaves_out_what_speaks_of_a_field_alone() -> None:
    site, age = AnyOf(field="site", values=("hand", "face"), keep_unknown=True), Between(high=40)
    other, mixed = Not(of=AnyOf(field="site", values=("back",))), Or(of=(site, age))
    assert without((site, age, other, mixed), "site") == (age, mixed)
    assert without((site, age, other, mixed), "age") == (site, other, mixed)
    assert list(leaves((other, mixed))) == [other.of, site, age]


def built(*points: list[float], moved: bool = False, images: int = 1) -> tuple[ResultBuilder, Ranking]:
    """Results of cases at `points` [L, 4], each alone, in their order."""
    found = [stored(f"c{number}", point, diagnosis="nv") for number, point in enumerate(points)]
    target = QueryPoint(VISUAL, np.array([[0.0, 0, 0, 2 * n] for n in range(images)]), np.zeros(4), moved=moved)
    groups = [Group(row) for row in range(len(found))]
    ranking = Ranking(ResolvedQuery(target, ()), Candidates.of(found, target), groups)
    return ResultBuilder(ranking, target, Similarity(MADE)), ranking


def test_neighbours__are_the_first_with_distance_and_the_weight_of_a_vote() -> None:
    results, _ = built([1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0])
    near = results.neighbours(2)
    assert [(one.case.id, one.distance) for one in near] == [("c0", 1), ("c1", 2)]
    assert [one.weight for one in near] == pytest.approx([0.8, 0.7])
    assert len(results.neighbours(9)) == 3


def test_matches__of_some_groups_come_in_their_order() -> None:
    results, ranking = built([1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0])
    matches = results.matches([ranking.groups[2], ranking.groups[0]], STATISTICS, {})
    assert [(match.case.id, match.distance) for match in matches] == [("c2", 3), ("c0", 1)]
    assert [match.contributions for match in matches] == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert [match.similarity for match in matches] == pytest.approx([0.6, 0.8])
    assert [(match.hidden, match.more_hidden) for match in matches] == [([], False)] * 2
    assert results.matches([], STATISTICS, {}) == []


def test_matches__very_near_contribute_shares_too() -> None:
    results, ranking = built([0.3, 0, 0, 0.4])
    [match] = results.matches(ranking.groups, STATISTICS, {})
    assert match.contributions == pytest.approx([0.36, 0, 0, 0.64])


def test_matches__at_distance_zero_contribute_nothing() -> None:
    results, ranking = built([0, 0, 0, 0])
    [match] = results.matches(ranking.groups, STATISTICS, {})
    assert (match.distance, match.contributions) == (0, [0, 0, 0, 0])


def test_matches__of_several_images_or_examples_lie_at_the_distance_to_the_images() -> None:
    results, ranking = built([3, 0, 0, 1], images=2)
    assert results.matches(ranking.groups, STATISTICS, {})[0].distance == pytest.approx((9 + 1) ** 0.5)
    target = QueryPoint(VISUAL, np.array([[3.0, 4, 0, 0]]), np.zeros(4), moved=True)
    ranking = Ranking(ResolvedQuery(target, ()), Candidates.of([stored("a", [0, 0, 0, 0])], target), [Group(0)])
    assert ResultBuilder(ranking, target, Similarity(MADE)).matches(ranking.groups, STATISTICS, {})[0].distance == 5
