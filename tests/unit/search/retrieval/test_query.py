"""A request resolved: where it looks, by what, and which cases are no matches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import AnyOf, Between, Not
from casekin.contracts.search import Example, SearchRequest
from casekin.errors import NotFound, WrongLatent
from services.search.retrieval.query import of_lesions, resolve, without_lesions
from services.search.vector_store.port import StoredCase
from tests.integration.search.made import CLINICAL, manifest, stored

CASES = {
    one.case.id: one
    for one in (
        stored("a", [1, 2, 3, 4], lesion_id="L1"),
        stored("b", [0, 0, 2, 0]),
        stored("c", [0, 0, 0, 8], lesion_id="L3"),
    )
}
START = [1.0, 0.0, 0.0, 0.0]


def read(ids: Sequence[CaseId]) -> list[StoredCase]:
    return [CASES[case_id] for case_id in ids if case_id in CASES]


def request(**fields: Any) -> SearchRequest:
    return SearchRequest(bundle_version="made-1", **fields)


def test_resolve__of_one_latent_looks_at_it() -> None:
    query = resolve(request(latents=(START,), filters=(Between(low=1),)), manifest(), read)
    np.testing.assert_array_equal(query.target.point, START)
    np.testing.assert_array_equal(query.target.images, [START])
    assert query.target.metric.weights.tolist() == CLINICAL.tolist()
    assert query.target.is_one_image
    assert query.conditions == (Between(low=1),)
    assert (query.lesions, query.itself, query.examples) == (frozenset(),) * 3


def test_resolve__of_several_latents_looks_at_their_mean() -> None:
    query = resolve(request(latents=(START, [3.0, 2.0, 0.0, 0.0])), manifest(), read)
    np.testing.assert_array_equal(query.target.point, [2, 1, 0, 0])
    assert query.target.images.shape == (2, 4)
    assert not query.target.is_one_image


@pytest.mark.parametrize(
    ("case", "lesions", "itself"), [("a", {"L1"}, set()), ("b", set(), {"b"})], ids=["of a lesion", "of none"]
)
def test_resolve__from_a_case_leaves_it_out(case: CaseId, lesions: set[str], itself: set[CaseId]) -> None:
    query = resolve(request(case=case), manifest(), read)
    np.testing.assert_array_equal(query.target.point, CASES[case].latent)
    assert query.target.images.dtype == np.float64
    assert (query.lesions, query.itself) == (lesions, itself)
    own = resolve(request(case=case, own_lesion="L9"), manifest(), read)
    assert (own.lesions, own.itself) == (lesions | {"L9"}, itself)


def test_resolve__moves_the_point_by_examples_and_leaves_them_out() -> None:
    examples = (Example(case="b", weight=1), Example(case="c", weight=-1))
    query = resolve(request(latents=([0.0] * 4,), examples=examples), manifest(), read)
    np.testing.assert_allclose(query.target.point, [0, 0, 1, -2])
    np.testing.assert_array_equal(query.target.images, [[0, 0, 0, 0]])
    assert query.examples == {"b", "c"}
    assert (query.target.moved, query.target.is_one_image) == (True, False)
    assert query.lesions == frozenset(), "an example's lesion may match"


@pytest.mark.parametrize("fields", [{"case": "x"}, {"latents": (START,), "examples": (Example(case="x", weight=1),)}])
def test_resolve__of_a_case_that_is_not_stored_is_not_found(fields: dict[str, Any]) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(request(**fields), manifest(), read)
    assert caught.value.detail == "no case x in the collection"


def test_resolve__names_the_latent_of_wrong_length() -> None:
    with pytest.raises(WrongLatent, match=r"^the latent has 1 numbers"):
        resolve(request(latents=([1.0],)), manifest(), read)
    with pytest.raises(WrongLatent, match=r"^latent 2 has 1 numbers"):
        resolve(request(latents=(START, [1.0])), manifest(), read)


def test_with_own_cases__adds_lesions_and_lone_cases() -> None:
    query = resolve(request(latents=(START,), own_lesion="L9"), manifest(), read)
    assert query.with_own_cases([]) is query
    more = query.with_own_cases([CASES["a"], CASES["b"]]).with_own_cases([CASES["c"]])
    assert (more.lesions, more.itself) == ({"L1", "L3", "L9"}, {"b"})
    assert more.target is query.target


def test_without_lesions__adds_a_condition_where_there_are_any() -> None:
    assert of_lesions(frozenset({"L2", "L1"})) == AnyOf(field="lesion_id", values=("L1", "L2"))
    assert without_lesions((Between(),), frozenset()) == (Between(),)
    expected = (Between(), Not(of=AnyOf(field="lesion_id", values=("L1",))))
    assert without_lesions((Between(),), frozenset({"L1"})) == expected
