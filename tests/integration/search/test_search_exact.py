"""The search against a brute-force oracle in numpy: random collections, weights, filters, siblings, ties."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from casekin.contracts.search import Case, SearchRequest
from services.search.retrieval.search import Searcher
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.port import StoredCase
from tests.integration.search.conftest import ENGINES, opened
from tests.integration.search.made import CLINICAL, collection, latents, manifest, stored

SITES, SEXES = ["back", "face"], ["female", "male"]
grid = st.integers(-24, 24).map(lambda n: n / 8)
"""Few values, exact in float32: distances tie often, and exactly."""


def searcher(index: Any, folder: Path) -> Searcher:
    return Searcher(index, manifest(), CollectionInfoStore(BlobStore(str(folder / "images")), "test"))


def passes(case: Case, condition: Condition) -> bool:
    match condition:
        case And(of=parts):
            return all(passes(case, part) for part in parts)
        case Or(of=parts):
            return any(passes(case, part) for part in parts)
        case Not(of=part):
            return not passes(case, part)
        case AnyOf(field=name, values=values, keep_unknown=keep):
            value = case.attributes.get(name[11:]) if name.startswith("attributes.") else getattr(case, name)
            return keep if value is None else value in values
        case Between(low=low, high=high, keep_unknown=keep):
            return keep if case.age is None else (low or 0) <= case.age <= (130 if high is None else high)


def oracle(cases: list[StoredCase], request: SearchRequest) -> list[tuple[str, float]]:
    """Every distance, sorted by (distance, id); then what is the query itself, its lesion and copies are left out."""
    weights = {"visual": np.ones(4), "clinical": CLINICAL, "custom": np.array(request.weights or [0])}[request.preset]
    x, images = latents(cases), np.array(request.latents)
    squared = np.mean([((image - x) ** 2) @ weights for image in images], axis=0)
    towards = ((images.mean(0) - x) ** 2) @ weights
    order = sorted(range(len(cases)), key=lambda i: (towards[i], cases[i].case.id))
    order = [i for i in order if all(passes(cases[i].case, one) for one in request.filters)]
    own = {request.own_lesion} - {None}
    itself = set()
    if request.one_per_lesion:
        same = [i for i in order if cases[i].case.lesion_id not in own and (x[i] == images).all(1).any()]
        own |= {cases[i].case.lesion_id for i in same}
        itself = {i for i in same if cases[i].case.lesion_id is None}
    found: list[tuple[str, float]] = []
    met: set[Any] = set()
    for i in order:
        lesion, latent = cases[i].case.lesion_id, tuple(x[i])
        if i in itself or (lesion and lesion in own):
            continue
        if request.one_per_lesion and ((lesion and lesion in met) or latent in met):
            continue
        met |= {lesion, latent}
        found.append((cases[i].case.id, float(np.sqrt(squared[i]))))
    return found[request.offset : request.offset + request.k]


cases_on_a_grid = st.lists(
    st.tuples(
        st.lists(grid, min_size=4, max_size=4),
        st.sampled_from([None, "L1", "L2", "L3"]),
        st.sampled_from([None, *SITES]),
        st.sampled_from([None, *SEXES]),
        st.sampled_from([None, 0.0, 35.0, 70.0]),
        st.sampled_from(["nv", "mel"]),
        st.sampled_from([{}, {"lens": "D3"}, {"lens": "D5"}]),
    ),
    min_size=1,
    max_size=60,
)
leaf = st.one_of(
    st.builds(
        AnyOf,
        field=st.just("site"),
        values=st.lists(st.sampled_from(SITES), min_size=1).map(tuple),
        keep_unknown=st.booleans(),
    ),
    st.builds(AnyOf, field=st.just("sex"), values=st.just(("male",)), keep_unknown=st.booleans()),
    st.builds(AnyOf, field=st.just("attributes.lens"), values=st.just(("D5",)), keep_unknown=st.booleans()),
    st.builds(AnyOf, field=st.just("lesion_id"), values=st.just(()), keep_unknown=st.just(True)),
    st.builds(
        Between,
        low=st.sampled_from([None, 10.0, 35.0]),
        high=st.sampled_from([None, 35.0, 60.0]),
        keep_unknown=st.booleans(),
    ),
)
condition = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(Not, of=inner),
        st.builds(And, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
a_request = st.fixed_dictionaries(
    {
        "latents": st.lists(st.lists(grid, min_size=4, max_size=4), min_size=1, max_size=2),
        "weights": st.lists(st.sampled_from([0.0, 0.125, 0.5, 1.0, 3.0, 100.0]), min_size=4, max_size=4).filter(any),
        "preset": st.sampled_from(["visual", "clinical", "custom"]),
        "k": st.integers(1, 12),
        "offset": st.sampled_from([0, 0, 1, 5]),
        "one_per_lesion": st.booleans(),
        "own_lesion": st.sampled_from([None, "L1"]),
        "filters": st.lists(condition, max_size=3).map(tuple),
    }
)


@pytest.mark.parametrize("engine", ENGINES)
def test_search__finds_what_brute_force_finds(engine: str, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as make:
        index = make(CLINICAL)
        tool = searcher(index, tmp_path)
        vocabulary = [
            stored(f"known-{s}-{x}", [3, 3, i, 3], site=s, sex=x, diagnosis="nv", attributes={"lens": "D5"})
            for i, (s, x) in enumerate((s, x) for s in SITES for x in SEXES)
        ]

        @given(cases_on_a_grid, st.lists(a_request, min_size=1, max_size=4))
        @settings(max_examples=25 if engine == "edge" else 8, deadline=None, suppress_health_check=list(HealthCheck))
        def check(made: list[Any], asked: list[dict[str, Any]]) -> None:
            index.delete(index.ids())
            cases = vocabulary + [
                stored(f"c{i}", x, lesion_id=lesion, site=site, sex=sex, age=age, diagnosis=diagnosis, attributes=more)
                for i, (x, lesion, site, sex, age, diagnosis, more) in enumerate(made)
            ]
            index.upsert(cases)
            for one in asked:
                weights = one["weights"] if one["preset"] == "custom" else None
                request = SearchRequest(bundle_version="made-1", **{**one, "weights": weights})
                answer = tool.search(request)
                expected = oracle(cases, request)
                assert [match.case.id for match in answer.matches] == [case_id for case_id, _ in expected]
                np.testing.assert_allclose(
                    [match.distance for match in answer.matches], [d for _, d in expected], rtol=1e-12, atol=1e-12
                )
                passing = [all(passes(c.case, part) for part in request.filters) for c in cases]
                assert answer.passing == sum(passing)
                assert len(answer.excluded_by) == (len(request.filters) if not any(passing) else 0)
                following = request.model_copy(update={"offset": request.offset + request.k})
                assert answer.more == bool(oracle(cases, following))

        check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_search__float32_does_not_swap_near_neighbours(engine: str, offset: float, tmp_path: Path) -> None:
    """Far from the origin [x, x^2] cancels: differences of 1e-3 drown in float32, and must be found all the same."""
    rng = np.random.default_rng(3)
    cases = [stored(f"c{i:04d}", (offset + rng.normal(size=4) * 1e-2).tolist()) for i in range(600)]
    with opened(engine, tmp_path) as make:
        index = make(CLINICAL)
        for start in range(0, 600, 200):
            index.upsert(cases[start : start + 200])
        tool = searcher(index, tmp_path)
        for _ in range(5):
            request = SearchRequest(
                bundle_version="made-1",
                latents=((offset + rng.normal(size=4) * 1e-2).tolist(),),
                one_per_lesion=False,
                preset="custom",
                weights=rng.random(4).tolist(),
                k=10,
            )
            assert [m.case.id for m in tool.search(request).matches] == [i for i, _ in oracle(cases, request)]


def test_search__looks_past_a_lesion_with_many_cases(tmp_path: Path) -> None:
    near = [stored(f"near-{i}", [i / 100, 0, 0, 0], lesion_id="one") for i in range(500)]
    far = [stored(f"far-{i}", [10 + i, 0, 0, 0], lesion_id=f"other-{i}") for i in range(5)]
    with opened("edge", tmp_path) as make:
        index = make(CLINICAL)
        index.upsert(near)
        index.upsert(far)
        answer = searcher(index, tmp_path).search(
            SearchRequest(bundle_version="made-1", latents=([0, 0, 0.5, 0],), k=4)
        )
    assert [m.case.id for m in answer.matches] == ["near-0", "far-0", "far-1", "far-2"]
    assert len(answer.matches[0].hidden) == 499
    assert {hidden.reason for hidden in answer.matches[0].hidden} == {"lesion"}


@pytest.mark.parametrize("k", [1, 200])
def test_search__equal_latents_come_by_id(k: int, tmp_path: Path) -> None:
    cases = [stored(f"c{i:04d}", [1, 1, 1, 1]) for i in range(700)]
    with opened("edge", tmp_path) as make:
        index = make(CLINICAL)
        index.upsert(cases[::-1])
        request = SearchRequest(bundle_version="made-1", latents=([1, 1, 1, 0],), k=k, one_per_lesion=False)
        answer = searcher(index, tmp_path).search(request)
    assert [m.case.id for m in answer.matches] == [f"c{i:04d}" for i in range(k)]


def test_search__of_an_empty_collection_is_empty(tmp_path: Path) -> None:
    with opened("edge", tmp_path) as make:
        answer = searcher(make(CLINICAL), tmp_path).search(
            SearchRequest(bundle_version="made-1", latents=([0, 0, 0, 0],))
        )
    assert (answer.matches, answer.passing, answer.statistics.diagnoses) == ([], 0, [])


def test_search__random_latents_of_32_dimensions(tmp_path: Path) -> None:
    cases = collection(1500, D=32, seed=5)
    rng = np.random.default_rng(1)
    made = manifest(clinical=rng.random(32).tolist())
    with opened("edge", tmp_path) as make:
        index = make(np.array(made.clinical_weights))
        index.upsert(cases)
        tool = Searcher(index, made, CollectionInfoStore(BlobStore(str(tmp_path / "images")), "test"))
        x = latents(cases)
        for _ in range(20):
            q, w = rng.normal(size=32), rng.random(32) ** 4
            request = SearchRequest(
                bundle_version="made-1",
                latents=(q.tolist(),),
                preset="custom",
                weights=w.tolist(),
                one_per_lesion=False,
            )
            answer = tool.search(request)
            nearest = np.argsort(((q - x) ** 2) @ w)[:12]
            assert [m.case.id for m in answer.matches] == [cases[i].case.id for i in nearest]
            shares = np.array([m.contributions for m in answer.matches])
            expected = w * (q - x[nearest]) ** 2
            np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)
