"""Lesions and pictures with thousands of cases: the answer is exact, and costs about as much as any other."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from casekin.contracts.conditions import AnyOf
from casekin.contracts.search import SearchRequest, SearchResponse
from services.search.retrieval import ranking as ranking_module
from services.search.retrieval.deduplication import HIDDEN_SHOWN
from services.search.retrieval.own_lesion import OWN_SHOWN
from services.search.retrieval.search import Searcher
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.edge.view import EdgeView
from services.search.vector_store.port import StoredCase
from tests.integration.search.made import CLINICAL, stored
from tests.integration.search.test_search_exact import oracle, searcher

MANY = 3000
Q = [0.0, 0.0, 0.5, 0.0]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Limits of the searches that the engine is asked for."""
    asked: list[int] = []
    nearest = EdgeView.nearest

    def watched(view: EdgeView, metric: Any, q: Any, conditions: Any, limit: int, without: Any = ()) -> Any:
        asked.append(limit)
        return nearest(view, metric, q, conditions, limit, without)

    monkeypatch.setattr(EdgeView, "nearest", watched)
    return asked


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EdgeIndex]:
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    yield index
    index.close()


def filled(index: EdgeIndex, folder: Path, cases: list[StoredCase]) -> Searcher:
    for start in range(0, len(cases), 500):
        index.upsert(cases[start : start + 500])
    return searcher(index, folder)


def others(count: int = 40) -> list[StoredCase]:
    """Cases farther from `Q` than all others here, each of a lesion of its own."""
    return [stored(f"far-{i:02d}", [10 + i, 0, 0, 0], lesion_id=f"other-{i}", diagnosis="nv") for i in range(count)]


def one_lesion(latent: list[float] | None = None) -> list[StoredCase]:
    rng = np.random.default_rng(1)
    drawn = rng.normal([3, 0, 0, 0], 0.5, (MANY, 4)).tolist() if latent is None else [latent] * MANY
    return [stored(f"near-{i:04d}", x, lesion_id="one") for i, x in enumerate(drawn)]


def copies(latent: list[float], image: str | None = None) -> list[StoredCase]:
    """Of one picture: as one file, or saved again and again."""
    rng = np.random.default_rng(2)
    drawn = (np.array(latent) + rng.uniform(-2e-4, 2e-4, (MANY, 4))).tolist()
    return [stored(f"copy-{i:04d}", x, image=image) for i, x in enumerate(drawn)]


def request(**fields: Any) -> SearchRequest:
    return SearchRequest(bundle_version="made-1", **{"latents": (Q,), "k": 4, **fields})


def ids(answer: SearchResponse) -> list[str]:
    return [match.case.id for match in answer.matches]


def test_search__leaves_a_lesion_of_thousands_out_of_the_next_read(
    index: EdgeIndex, tmp_path: Path, limits: list[int]
) -> None:
    cases = [*one_lesion(), *others()]
    answer = filled(index, tmp_path, cases).search(request())
    expected = oracle(cases, request())
    assert ids(answer) == [one.case_id for one in expected[:4]]
    assert [hidden.case for hidden in answer.matches[0].hidden] == expected[0].hidden[:HIDDEN_SHOWN]
    assert answer.matches[0].more_hidden
    assert not answer.matches[1].more_hidden
    assert not answer.truncated
    assert len(limits) <= 3
    assert max(limits) <= 256


def test_search__leaves_lesions_of_thousands_out_of_every_page(
    index: EdgeIndex, tmp_path: Path, limits: list[int]
) -> None:
    """Lesions one behind the other, each larger than a read: none is missed, and none is met twice."""
    cases = [
        stored(f"{lesion:02d}-{i:03d}", [lesion + i / 1000, 0, 0, 0], lesion_id=f"L{lesion}")
        for lesion in range(20)
        for i in range(150)
    ]
    tool = filled(index, tmp_path, cases)
    found = [ids(tool.search(request(k=5, offset=offset))) for offset in (0, 5, 10, 15)]
    assert found == [[f"{lesion:02d}-000" for lesion in range(page, page + 5)] for page in (0, 5, 10, 15)]
    assert sum(limits) < 5 * len(cases), "each page reads the collection about once"


def test_search__of_thousands_of_equal_cases_of_a_lesion_gives_the_first_id(index: EdgeIndex, tmp_path: Path) -> None:
    answer = filled(index, tmp_path, [*one_lesion([1, 1, 1, 1])[::-1], *others()]).search(request())
    assert ids(answer) == ["near-0000", "far-00", "far-01", "far-02"]


@pytest.mark.parametrize("image", [None, "f" * 32])
def test_search__looks_past_thousands_of_copies_of_one_picture_in_little_memory(
    image: str | None, index: EdgeIndex, tmp_path: Path
) -> None:
    cases = [*copies([1, 0, 0, 0], image), *others()]
    tool = filled(index, tmp_path, cases)
    tracemalloc.start()
    answer = tool.search(request())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    nearest = min(cases[:MANY], key=lambda one: float((one.latent - np.array(Q)) ** 2 @ CLINICAL))
    assert ids(answer) == [nearest.case.id, "far-00", "far-01", "far-02"]
    assert {hidden.reason for hidden in answer.matches[0].hidden} == {"duplicate"}
    assert (len(answer.matches[0].hidden), answer.matches[0].more_hidden) == (HIDDEN_SHOWN, True)
    assert peak < 20e6, "it was quadratic in the candidates: 1.2 GB for 7,000"


def test_search__of_a_picture_stored_thousands_of_times_sets_them_all_apart(index: EdgeIndex, tmp_path: Path) -> None:
    answer = filled(index, tmp_path, [*copies(Q), *others()]).search(request())
    assert ids(answer) == ["far-00", "far-01", "far-02", "far-03"]
    assert len(answer.own) == OWN_SHOWN
    assert all(one.same_picture and one.case.id.startswith("copy-") for one in answer.own)
    assert [one.distance for one in answer.own] == sorted(one.distance for one in answer.own)


def test_search__of_a_case_whose_lesion_has_thousands_sets_the_lesion_apart(index: EdgeIndex, tmp_path: Path) -> None:
    tool = filled(index, tmp_path, [*one_lesion(), *others()])
    answer = tool.search(request(latents=(), case="near-0000"))
    assert {match.case.lesion_id for match in answer.matches} == {f"other-{i}" for i in range(4)}
    assert len(answer.own) == OWN_SHOWN
    assert {one.case.lesion_id for one in answer.own} == {"one"}
    assert (answer.own[0].case.id, answer.own[0].distance) == ("near-0000", 0)


def test_search__says_that_it_stopped_at_its_limit_of_candidates(
    index: EdgeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking_module, "MOST_CANDIDATES", 500)
    tool = filled(index, tmp_path, [*copies([1, 0, 0, 0]), *others()])
    cut_off = tool.search(request())
    assert (len(cut_off.matches), cut_off.truncated) == (1, True)
    assert not tool.search(request(latents=([50.0, 0, 0, 0],))).truncated


def test_search__lists_the_own_lesion_from_its_cache_as_from_the_index(
    index: EdgeIndex, tmp_path: Path, limits: list[int]
) -> None:
    own = [stored(f"own-{i}", [i / 10, 0, 0.5, 0], lesion_id="own") for i in range(3)]
    tool = filled(index, tmp_path, [*own, *others()])
    first = tool.search(request())
    assert [one.case.id for one in first.own] == ["own-0", "own-1", "own-2"]
    asked = len(limits)
    shifted = tool.search(request(own_lesion="own", latents=([0.2, 0, 0.5, 0],)))
    assert len(limits) == asked + 1, "only the matches were searched for"
    assert [one.case.id for one in shifted.own] == ["own-2", "own-1", "own-0"]
    index.delete(["own-1"])
    assert [one.case.id for one in tool.search(request()).own] == ["own-0", "own-2"]


def test_search__lists_no_sibling_that_fails_the_filters(index: EdgeIndex, tmp_path: Path) -> None:
    cases = [
        stored(f"near-{i:03d}", [1 + i / 1000, 0, 0, 0], lesion_id="one", site=["face", "back"][i % 2])
        for i in range(300)
    ]
    far = [stored(f"far-{i:02d}", [10 + i, 0, 0, 0], lesion_id=f"other-{i}", site="face") for i in range(20)]
    tool = filled(index, tmp_path, [*cases, *far])
    answer = tool.search(request(filters=(AnyOf(field="site", values=("face",)),)))
    assert [hidden.case for hidden in answer.matches[0].hidden] == [
        f"near-{i:03d}" for i in range(2, 2 * HIDDEN_SHOWN + 1, 2)
    ]


def test_search__says_that_siblings_are_missing_behind_a_larger_lesion(index: EdgeIndex, tmp_path: Path) -> None:
    """The read of siblings is full of the nearer lesion's, which leaves the farther one's list incomplete."""
    nearer = [stored(f"a-{i:03d}", [1 + i / 1000, 0, 0, 0], lesion_id="a") for i in range(400)]
    farther = [stored(f"b-{i:03d}", [2 + i / 1000, 0, 0, 0], lesion_id="b") for i in range(150)]
    answer = filled(index, tmp_path, [*nearer, *farther, *others()]).search(request())
    assert ids(answer) == ["a-000", "b-000", "far-00", "far-01"]
    assert len(answer.matches[1].hidden) < HIDDEN_SHOWN
    assert [match.more_hidden for match in answer.matches] == [True, True, False, False]
