"""Similarity, contributions, statistics and conditions, against values worked out by hand."""

import numpy as np
import pytest

from casekin.contracts.search import Case, Filters, Match
from services.search.conditions import conditions
from services.search.index import AnyOf, Between
from services.search.matches import Similarity, to_matches
from services.search.ranking import Ranked
from services.search.spaces import Metric
from services.search.statistics import neighbour_statistics
from tests.integration.search.made import manifest, stored

MADE = manifest()  # visual: 0.9 at 0 to 0.4 at 5; clinical: 0.95 to 0.4
VISUAL = Metric("visual", np.ones(4))


def test_similarity__is_linear_between_points_and_level_beyond() -> None:
    similarity = Similarity(MADE)
    np.testing.assert_allclose(similarity.of(VISUAL, [0, 1, 2.5, 5, 99]), [0.9, 0.8, 0.65, 0.4, 0.4])
    clinical = Metric("clinical", np.array(MADE.clinical_weights))
    np.testing.assert_allclose(similarity.of(clinical, [0, 2.5]), [0.95, 0.675])


@pytest.mark.parametrize("factor", [0.25, 1.0, 16.0])
def test_similarity__of_own_weights_ignores_their_scale(factor: float) -> None:
    metric = Metric("weighted", np.full(4, factor))
    distance = 2.5 * factor**0.5
    np.testing.assert_allclose(Similarity(MADE).of(metric, [distance]), [0.65])


def test_matches__carry_case_and_shares() -> None:
    ranked = Ranked(stored("a", [0] * 4, age=3), 2.5, [0.5, 0.5, 0, 0])
    [match] = to_matches([ranked], VISUAL, Similarity(MADE))
    assert match.case == Case(id="a", age=3)
    assert (match.distance, match.contributions) == (2.5, [0.5, 0.5, 0, 0])
    assert match.similarity == pytest.approx(0.65)


def match(diagnosis: str | None, similarity: float) -> Match:
    return Match(case=Case(id="a", diagnosis=diagnosis), distance=1, similarity=similarity, contributions=[])


def test_statistics__weigh_by_similarity_and_correct_by_prior() -> None:
    matches = [match("nv", 0.6), match("nv", 0.2), match("mel", 0.8), match(None, 0.9)]
    told = neighbour_statistics(matches, {"nv": 80, "mel": 20})
    assert told.neighbours == 4
    assert [(d.diagnosis, d.count) for d in told.diagnoses] == [("nv", 2), ("mel", 1)]
    assert [d.share for d in told.diagnoses] == pytest.approx([0.5, 0.5])
    assert [d.corrected for d in told.diagnoses] == pytest.approx([0.2, 0.8])  # 0.5/80 against 0.5/20


def test_statistics__without_similarity_weigh_alike() -> None:
    told = neighbour_statistics([match("nv", 0), match("nv", 0), match("mel", 0)], {"nv": 10, "mel": 10})
    assert [d.share for d in told.diagnoses] == pytest.approx([2 / 3, 1 / 3])


def test_statistics__of_nothing_are_empty() -> None:
    assert neighbour_statistics([], {}).diagnoses == []
    assert neighbour_statistics([match(None, 0.5)], {}).diagnoses == []


def test_conditions__leave_out_a_field_and_carry_unknown() -> None:
    filters = Filters(site=["hand", "face", "hand"], age_max=40, keep_unknown=True)
    site, age = AnyOf("site", ("face", "hand"), or_unknown=True), Between("age", None, 40, or_unknown=True)
    assert conditions(filters) == (site, age)
    assert conditions(filters, without="site") == (age,)
    assert conditions(filters, without="age") == (site,)
    assert conditions(Filters(keep_unknown=True)) == ()
