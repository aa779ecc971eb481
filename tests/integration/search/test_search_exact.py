"""The search against a brute-force oracle in numpy: random collections, weights, filters, siblings, ties."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekin.contracts.search import FACETED, Case, Filters, SearchRequest
from services.search.blobs import Blobs
from services.search.description import Description
from services.search.index import StoredCase
from services.search.searching import Searcher
from tests.integration.search.conftest import ENGINES, opened
from tests.integration.search.made import CLINICAL, collection, latents, manifest, stored

SITES, SEXES = ["back", "face"], ["female", "male"]
grid = st.integers(-24, 24).map(lambda n: n / 8)
"""Few values, exact in float32: distances tie often, and exactly."""


def searcher(index: Any, folder: Path) -> Searcher:
    return Searcher(index, manifest(), Description(Blobs(str(folder / "images")), "test"))


def passes(case: Case, filters: Filters) -> bool:
    for field in FACETED:
        asked, value = getattr(filters, field), getattr(case, field)
        if asked and value not in asked and not (value is None and filters.keep_unknown):
            return False
    if filters.age_min is None and filters.age_max is None:
        return True
    if case.age is None:
        return filters.keep_unknown
    return (filters.age_min or 0) <= case.age <= (130 if filters.age_max is None else filters.age_max)


def oracle(cases: list[StoredCase], request: SearchRequest) -> list[tuple[str, float]]:
    """Every distance, sorted by (distance, id), filtered and collapsed afterwards."""
    weights = {"visual": np.ones(4), "clinical": CLINICAL, "custom": np.array(request.weights or [0])}[request.preset]
    squared = ((np.array(request.latent) - latents(cases)) ** 2) @ weights
    order = sorted(range(len(cases)), key=lambda i: (squared[i], cases[i].case.id))
    found, met = [], set()
    for i in order:
        case = cases[i].case
        lesion = case.lesion_id
        if not passes(case, request.filters) or (lesion and lesion == request.exclude_lesion):
            continue
        if request.one_per_lesion and lesion and lesion in met:
            continue
        met.add(lesion)
        found.append((case.id, float(np.sqrt(squared[i]))))
    return found[: request.k]


cases_on_a_grid = st.lists(
    st.builds(
        lambda latent, lesion, site, sex, age, diagnosis: (latent, lesion, site, sex, age, diagnosis),
        st.lists(grid, min_size=4, max_size=4),
        st.sampled_from([None, "L1", "L2", "L3"]),
        st.sampled_from([None, *SITES]),
        st.sampled_from([None, *SEXES]),
        st.sampled_from([None, 0.0, 35.0, 70.0]),
        st.sampled_from(["nv", "mel"]),
    ),
    min_size=1,
    max_size=60,
)
a_request = st.fixed_dictionaries(
    {
        "latent": st.lists(grid, min_size=4, max_size=4),
        "weights": st.lists(st.sampled_from([0.0, 0.125, 0.5, 1.0, 3.0, 100.0]), min_size=4, max_size=4).filter(any),
        "preset": st.sampled_from(["visual", "clinical", "custom"]),
        "k": st.integers(1, 12),
        "one_per_lesion": st.booleans(),
        "exclude_lesion": st.sampled_from([None, "L1"]),
        "filters": st.fixed_dictionaries(
            {
                "site": st.lists(st.sampled_from(SITES), max_size=2),
                "sex": st.lists(st.sampled_from(SEXES), max_size=1),
                "age_min": st.sampled_from([None, 10.0, 35.0]),
                "age_max": st.sampled_from([None, 35.0, 60.0]),
                "keep_unknown": st.booleans(),
            }
        ),
    }
)


@pytest.mark.parametrize("engine", ENGINES)
def test_search__finds_what_brute_force_finds(engine: str, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as make:
        index = make(CLINICAL)
        tool = searcher(index, tmp_path)
        vocabulary = [
            stored(f"known-{s}-{x}", [3, 3, 3, 3], site=s, sex=x, diagnosis="nv") for s in SITES for x in SEXES
        ]

        @given(cases_on_a_grid, st.lists(a_request, min_size=1, max_size=4))
        @settings(max_examples=25 if engine == "edge" else 8, deadline=None, suppress_health_check=list(HealthCheck))
        def check(made: list[Any], asked: list[dict[str, Any]]) -> None:
            index.delete(index.ids())
            cases = vocabulary + [
                stored(f"c{i}", x, lesion_id=lesion, site=site, sex=sex, age=age, diagnosis=diagnosis)
                for i, (x, lesion, site, sex, age, diagnosis) in enumerate(made)
            ]
            index.upsert(cases)
            for one in asked:
                weights = one["weights"] if one["preset"] == "custom" else None
                request = SearchRequest(bundle_version="made-1", **{**one, "weights": weights})
                answer = tool.search(request)
                expected = oracle(cases, request)
                assert [match.case.id for match in answer.matches] == [case_id for case_id, _ in expected]
                np.testing.assert_allclose(
                    [match.distance for match in answer.matches], [d for _, d in expected], rtol=1e-12, atol=0
                )
                assert answer.passing == sum(passes(c.case, request.filters) for c in cases)

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
                latent=(offset + rng.normal(size=4) * 1e-2).tolist(),
                preset="custom",
                weights=rng.random(4).tolist(),
                k=10,
            )
            assert [m.case.id for m in tool.search(request).matches] == [i for i, _ in oracle(cases, request)]


def test_search__looks_past_a_lesion_with_many_cases(tmp_path: Path) -> None:
    near = [stored(f"near-{i}", [i / 1000, 0, 0, 0], lesion_id="one") for i in range(500)]
    far = [stored(f"far-{i}", [10 + i, 0, 0, 0], lesion_id=f"other-{i}") for i in range(5)]
    with opened("edge", tmp_path) as make:
        index = make(CLINICAL)
        index.upsert(near)
        index.upsert(far)
        answer = searcher(index, tmp_path).search(SearchRequest(bundle_version="made-1", latent=[0, 0, 0, 0], k=4))
    assert [m.case.id for m in answer.matches] == ["near-0", "far-0", "far-1", "far-2"]


@pytest.mark.parametrize("k", [1, 200])
def test_search__equal_latents_come_by_id(k: int, tmp_path: Path) -> None:
    cases = [stored(f"c{i:04d}", [1, 1, 1, 1]) for i in range(700)]
    with opened("edge", tmp_path) as make:
        index = make(CLINICAL)
        index.upsert(cases[::-1])
        request = SearchRequest(bundle_version="made-1", latent=[1, 1, 1, 0], k=k, one_per_lesion=False)
        answer = searcher(index, tmp_path).search(request)
    assert [m.case.id for m in answer.matches] == [f"c{i:04d}" for i in range(k)]


def test_search__of_an_empty_collection_is_empty(tmp_path: Path) -> None:
    with opened("edge", tmp_path) as make:
        answer = searcher(make(CLINICAL), tmp_path).search(SearchRequest(bundle_version="made-1", latent=[0, 0, 0, 0]))
    assert (answer.matches, answer.passing, answer.statistics.diagnoses) == ([], 0, [])


def test_search__random_latents_of_32_dimensions(tmp_path: Path) -> None:
    cases = collection(1500, D=32, seed=5)
    rng = np.random.default_rng(1)
    made = manifest(clinical=rng.random(32).tolist())
    with opened("edge", tmp_path) as make:
        index = make(np.array(made.clinical_weights))
        index.upsert(cases)
        tool = Searcher(index, made, Description(Blobs(str(tmp_path / "images")), "test"))
        x = latents(cases)
        for _ in range(20):
            q, w = rng.normal(size=32), rng.random(32) ** 4
            request = SearchRequest(
                bundle_version="made-1", latent=q.tolist(), preset="custom", weights=w.tolist(), one_per_lesion=False
            )
            answer = tool.search(request)
            nearest = np.argsort(((q - x) ** 2) @ w)[:12]
            assert [m.case.id for m in answer.matches] == [cases[i].case.id for i in nearest]
            shares = np.array([m.contributions for m in answer.matches])
            expected = w * (q - x[nearest]) ** 2
            np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)
