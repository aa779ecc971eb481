"""The search against a brute-force oracle in numpy: random collections, weights, filters, siblings, ties."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekin.contracts.cases import Case
from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from casekin.contracts.search import Example, SearchRequest
from services.search.retrieval import ranking as ranking_module
from services.search.retrieval.neighbour_votes import NEIGHBOURS
from services.search.retrieval.query_point import moved
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


class Expected(NamedTuple):
    case_id: str
    distance: float
    hidden: list[str]


def oracle(cases: list[StoredCase], request: SearchRequest) -> list[Expected]:
    """All matches from this page on.

    Every distance, sorted by (distance, id), without examples and what is the query itself, its lesion and copies.
    """
    weights = {"visual": np.ones(4), "clinical": CLINICAL, "custom": np.array(request.weights or [0])}[request.preset]
    x, images = latents(cases), np.array(request.latents)
    examples = {example.case: example.weight for example in request.examples}
    place = {stored.case.id: row for row, stored in enumerate(cases)}
    chosen = x[[place[case_id] for case_id in examples]].reshape(-1, 4)
    point = moved(images.mean(0), chosen, list(examples.values())) if examples else images.mean(0)
    squared = np.mean([((image - x) ** 2) @ weights for image in images], axis=0)
    towards = ((point - x) ** 2) @ weights
    order = sorted(range(len(cases)), key=lambda i: (towards[i], cases[i].case.id))
    order = [i for i in order if all(passes(cases[i].case, one) for one in request.filters)]
    own = {request.own_lesion} - {None}
    itself = set(examples)
    if request.one_per_lesion:
        same = [i for i in order if cases[i].case.lesion_id not in own and (x[i] == images[:, None]).all(2).any()]
        same = [i for i in same if cases[i].case.id not in examples]
        own |= {cases[i].case.lesion_id for i in same} - {None}
        itself |= {cases[i].case.id for i in same if cases[i].case.lesion_id is None}
    groups: list[list[int]] = []
    by_lesion: dict[Any, list[int]] = {}
    by_latent: dict[Any, list[int]] = {}
    for i in order:
        lesion, latent = cases[i].case.lesion_id, tuple(x[i])
        if cases[i].case.id in itself or (lesion and lesion in own):
            continue
        group = (by_lesion.get(lesion) or by_latent.get(latent)) if request.one_per_lesion else None
        if group:
            group.append(i)
            continue
        groups.append([i])
        by_lesion |= {lesion: groups[-1]} if lesion else {}
        by_latent[latent] = groups[-1]
    count = max(request.offset + request.k + 1, NEIGHBOURS)
    last = towards[groups[count - 1][0]] if len(groups) >= count else np.inf
    return [
        Expected(cases[i].case.id, float(np.sqrt(squared[i])), [cases[j].case.id for j in hidden if towards[j] <= last])
        for i, *hidden in groups[request.offset :]
    ]


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
        "examples": st.dictionaries(st.integers(0, 59), st.sampled_from([-2.0, 1.0, 3.0]), max_size=2),
    }
)


@pytest.mark.parametrize("first", [None, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_search__finds_what_brute_force_finds(
    engine: str, first: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few candidates at `first`, so that every search reads more in several rounds."""
    if first is not None:
        monkeypatch.setattr(ranking_module, "first_limit", lambda *_, **__: first)
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
                examples = {
                    f"c{i % len(made)}" if made else "known-back-male": weight for i, weight in one["examples"].items()
                }
                steered = tuple(Example(case=case_id, weight=weight) for case_id, weight in examples.items())
                request = SearchRequest(bundle_version="made-1", **{**one, "weights": weights, "examples": steered})
                answer = tool.search(request)
                expected = oracle(cases, request)
                matches = expected[: request.k]
                assert [match.case.id for match in answer.matches] == [one.case_id for one in matches]
                np.testing.assert_allclose(
                    [match.distance for match in answer.matches],
                    [one.distance for one in matches],
                    rtol=1e-12,
                    atol=1e-12,
                )
                for match, wanted in zip(answer.matches, matches, strict=True):
                    assert [hidden.case for hidden in match.hidden] == wanted.hidden
                    assert not match.more_hidden
                passing = [all(passes(c.case, part) for part in request.filters) for c in cases]
                assert answer.passing == sum(passing)
                assert len(answer.excluded_by) == (len(request.filters) if not any(passing) else 0)
                assert answer.more == (len(expected) > request.k)
                assert not answer.truncated

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
            assert [m.case.id for m in tool.search(request).matches] == [
                one.case_id for one in oracle(cases, request)[:10]
            ]


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
