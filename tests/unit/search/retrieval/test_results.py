"""Similarity, contributions, statistics and conditions, against values worked out by hand."""

import numpy as np
import pytest

from casekin.contracts.conditions import AnyOf, Between, Not, Or, leaves, without
from casekin.contracts.search import Case, Match
from services.search.retrieval.deduplication import Group
from services.search.retrieval.query import ResolvedQuery
from services.search.retrieval.query_point import QueryPoint
from services.search.retrieval.ranking import Candidates, Ranking
from services.search.retrieval.results import ResultBuilder, Similarity, ordered
from services.search.vector_store.named_vectors import Metric
from tests.integration.search.made import manifest, stored

MADE = manifest()  # visual: 0.9 at 0 to 0.4 at 5; clinical: 0.95 to 0.4
VISUAL = Metric("visual", np.ones(4))


def test_similarity__is_linear_between_points_and_level_beyond() -> None:
    similarity = Similarity(MADE)
    np.testing.assert_allclose(similarity.of(VISUAL, np.array([0, 1, 2.5, 5, 99])), [0.9, 0.8, 0.65, 0.4, 0.4])
    clinical = Metric("clinical", np.array(MADE.clinical_weights))
    np.testing.assert_allclose(similarity.of(clinical, np.array([0, 2.5])), [0.95, 0.675])


@pytest.mark.parametrize("factor", [0.25, 1.0, 16.0])
def test_similarity__of_own_weights_ignores_their_scale(factor: float) -> None:
    metric = Metric("weighted", np.full(4, factor))
    distance = 2.5 * factor**0.5
    np.testing.assert_allclose(Similarity(MADE).of(metric, np.array([distance])), [0.65])


@pytest.mark.parametrize("factor", [0.25, 1.0, 16.0])
def test_similarity__of_own_weights_equal_to_a_preset_is_the_presets(factor: float) -> None:
    clinical = np.array(MADE.clinical_weights)
    own = Metric("weighted", factor * clinical)
    distances = np.array([0.5, 2.5, 4.0])
    of_preset = Similarity(MADE).of(Metric("clinical", clinical), distances * (4 / clinical.sum()) ** 0.5)
    np.testing.assert_allclose(Similarity(MADE).of(own, distances * factor**0.5), of_preset)


def test_similarity__of_own_weights_half_way_lies_half_way() -> None:
    clinical = np.array(MADE.clinical_weights) * 4 / sum(MADE.clinical_weights)
    half = Metric("weighted", (clinical + 1) / 2)
    np.testing.assert_allclose(Similarity(MADE).of(half, np.array([0.0, 2.5])), [0.925, 0.6625])


def test_matches__carry_case_shares_and_who_stands_behind() -> None:
    found = [stored("a", [2, 0, 0, 1.5], age=3), stored("b", [2, 0, 0, 1.6])]
    target = QueryPoint(VISUAL, np.zeros((1, 4)), np.zeros(4))
    ranking = Ranking(
        ResolvedQuery(target, ()), Candidates.of(found, target), [Group(0, [(1, "lesion")], more_hidden=True)]
    )
    [match] = ResultBuilder(ranking, target, Similarity(MADE)).matches(ranking.groups)
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
