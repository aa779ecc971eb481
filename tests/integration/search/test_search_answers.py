"""What an answer carries beside its matches, and who may be one: each rule on a collection made for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.conditions import AnyOf, Between
from casekin.contracts.search import Example, SearchRequest, SearchResponse
from casekin.errors import BadInput, WrongLatent
from services.search.retrieval.own_lesion import OWN_SHOWN
from services.search.retrieval.search import Searcher
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.port import StoredCase
from tests.integration.search.made import CLINICAL, manifest, stored
from tests.integration.search.test_search_exact import searcher

Search = Callable[..., SearchResponse]


@pytest.fixture
def search(tmp_path: Path) -> Any:
    """Fills an index and searches it: ``search(cases, **request)``."""
    made: list[EdgeIndex] = []

    def run(cases: list[StoredCase], **fields: Any) -> SearchResponse:
        made.append(EdgeIndex(tmp_path / f"index-{len(made)}", CLINICAL))
        made[-1].upsert(cases)
        return searcher(made[-1], tmp_path).search(request(**fields))

    yield run
    for index in made:
        index.close()


def request(**fields: Any) -> SearchRequest:
    return SearchRequest(**{"bundle_version": "made-1", "latents": ([0.0] * 4,), "preset": "visual", **fields})


def line(count: int, **fields: Any) -> list[StoredCase]:
    """Cases one unit apart, the first one unit from the origin, each of a lesion of its own."""
    return [stored(f"c{i:02d}", [i + 1, 0, 0, 0], lesion_id=f"L{i}", **fields) for i in range(count)]


def ids(answer: SearchResponse) -> list[str]:
    return [match.case.id for match in answer.matches]


@pytest.mark.parametrize("one_per_lesion", [True, False])
@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_examples__never_come_back_as_matches(search: Search, one_per_lesion: bool, weight: float) -> None:
    steered = (Example(case="c00", weight=weight), Example(case="c02", weight=weight))
    answer = search(line(8), examples=steered, k=12, one_per_lesion=one_per_lesion)
    assert sorted(ids(answer)) == ["c01", "c03", "c04", "c05", "c06", "c07"]


def test_examples__leave_their_lesion_among_the_matches(search: Search) -> None:
    cases = [*line(3), stored("sibling", [1.5, 0, 0, 0], lesion_id="L0")]
    assert "sibling" in ids(search(cases, examples=(Example(case="c00", weight=1.0),)))


def test_hidden__has_no_sibling_beyond_the_last_match(search: Search) -> None:
    """Of two siblings far behind their matches, only one is nearer than the last match."""
    cases = [*line(20), stored("near", [16.5, 0, 0, 0], lesion_id="L0"), stored("far", [17.5, 0, 0, 0], lesion_id="L1")]
    answer = search(cases, k=16)
    assert {match.case.id: [one.case for one in match.hidden] for match in answer.matches if match.hidden} == {
        "c00": ["near"]
    }


@pytest.mark.parametrize(("k", "more"), [(4, True), (5, False), (6, False)])
def test_more__says_whether_there_is_another_page(search: Search, k: int, more: bool) -> None:
    answer = search(line(5), k=k)
    assert (len(answer.matches), answer.more) == (min(k, 5), more)


def test_statistics__are_of_the_nearest_lesions_on_every_page(search: Search) -> None:
    """Sixteen neighbours vote, however few matches a page shows and whichever page it is."""
    cases = [*line(16, diagnosis="nv"), *(stored(f"mel-{i}", [100 + i, 0, 0, 0], diagnosis="mel") for i in range(20))]
    for fields in ({"k": 1}, {"k": 24}, {"k": 5, "offset": 20}):
        votes = search(cases, **fields).statistics
        assert (votes.neighbours, {one.diagnosis: one.count for one in votes.diagnoses if one.count}) == (
            16,
            {"nv": 16},
        )


def test_statistics__count_each_lesion_once(search: Search) -> None:
    siblings = [stored(f"s{i}", [0.5 + i / 100, 0, 0, 0], lesion_id="one", diagnosis="mel") for i in range(10)]
    votes = search([*siblings, *line(20, diagnosis="nv")]).statistics
    assert {one.diagnosis: one.count for one in votes.diagnoses} == {"nv": 15, "mel": 1}


def test_statistics__weigh_by_the_evidence_of_the_collection(tmp_path: Path) -> None:
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    index.upsert(
        [
            stored("a", [1, 0, 0, 0], diagnosis="nv", evidence="guess"),
            stored("b", [0, 1, 0, 0], diagnosis="mel", evidence="histo"),
        ]
    )
    info = CollectionInfoStore(BlobStore(str(tmp_path / "images")), "test")
    info.replace(
        CollectionInfo(
            title="t",
            diagnoses=[Diagnosis(code=code, name=code) for code in ("nv", "mel")],
            evidence_weights={"guess": 0.25, "histo": 1.0},
        )
    )
    answer = Searcher(index, manifest(), info).search(request(one_per_lesion=False))
    shares = {one.diagnosis: one.share for one in answer.statistics.diagnoses}
    assert shares == pytest.approx({"nv": 0.2, "mel": 0.8})
    by_evidence = Searcher(index, manifest(), info).search(request(one_per_lesion=False, sort="evidence"))
    assert ids(by_evidence) == ["b", "a"]
    index.close()


def test_sort__orders_the_matches_of_the_page(search: Search) -> None:
    cases = [stored(f"c{i}", [i + 1, 0, 0, 0], age=age) for i, age in enumerate([50.0, 30.0, None, 10.0])]
    assert ids(search(cases, sort="age", k=3)) == ["c1", "c0", "c2"], "the three nearest, youngest first"


def test_excluded_by__is_given_only_if_nothing_passes(search: Search) -> None:
    old, young = Between(low=80), Between(high=20)
    cases = [stored("a", [1, 0, 0, 0], age=85), stored("b", [2, 0, 0, 0], age=10), stored("c", [3, 0, 0, 0], age=50)]
    assert search(cases, filters=(old,)).excluded_by == []
    answer = search(cases, filters=(old, young))
    assert (answer.matches, answer.passing) == ([], 0)
    assert [(one.excludes, one.passing_without) for one in answer.excluded_by] == [(2, 1), (2, 1)]


def test_own_lesion__is_listed_without_grouping_too(search: Search) -> None:
    cases = [*line(4), stored("sibling", [9, 0, 0, 0], lesion_id="L0")]
    answer = search(cases, own_lesion="L0", one_per_lesion=False)
    assert ids(answer) == ["c01", "c02", "c03"]
    assert [one.case.id for one in answer.own] == ["c00", "sibling"]


def test_own_lesion__is_listed_whole_whatever_the_filters(search: Search) -> None:
    cases = [stored(f"own-{i}", [i, 0, 0, 0], lesion_id="own", site="back") for i in range(3)]
    others = [stored(f"c{i}", [5 + i, 0, 0, 0], site="face") for i in range(3)]
    answer = search([*cases, *others], own_lesion="own", filters=(AnyOf(field="site", values=("face",)),))
    assert [one.case.id for one in answer.own] == ["own-0", "own-1", "own-2"]
    assert ids(answer) == ["c0", "c1", "c2"]


def test_own_lesion__of_many_cases_has_the_nearest_of_this_query(tmp_path: Path) -> None:
    """More than are listed: the list of one query must not serve the next."""
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    index.upsert([stored(f"o{i:03d}", [i, 0, 0, 0], lesion_id="own") for i in range(2 * OWN_SHOWN)])
    tool = searcher(index, tmp_path)
    for start in (0, OWN_SHOWN):
        at = [start + (OWN_SHOWN - 1) / 2, 5.0, 0.0, 0.0]
        own = tool.search(request(latents=(at,), own_lesion="own")).own
        assert sorted(one.case.id for one in own) == [f"o{i:03d}" for i in range(start, start + OWN_SHOWN)]
    index.close()


def test_query__that_is_a_case_without_a_lesion_is_no_match_of_its_own(search: Search) -> None:
    cases = [stored("itself", [0, 0, 0, 0]), stored("other", [5, 0, 0, 0])]
    for fields in ({}, {"latents": (), "case": "itself"}):
        answer = search(cases, **fields)
        assert ids(answer) == ["other"]
        assert [(one.case.id, one.same_picture) for one in answer.own] == [("itself", True)]


def test_query__with_several_images_is_recognised_by_any_of_them(search: Search) -> None:
    cases = [stored("second", [4, 0, 0, 0], lesion_id="own"), *line(3)]
    answer = search(cases, latents=([-4.0, 0, 0, 0], [4.0, 0, 0, 0]))
    assert "second" not in ids(answer)
    assert [one.case.id for one in answer.own] == ["second"]


@pytest.mark.parametrize("preset", ["visual", "clinical"])
def test_diversity__chooses_by_maximal_marginal_relevance(search: Search, preset: str) -> None:
    """Of the 256 nearest lesions by the preset's distance, as its definition says, also on the second page."""
    rng = np.random.default_rng(5)
    x = rng.normal([60, 0, 0, 0], 20, size=(400, 4))
    cases = [stored(f"c{i:03d}", row.tolist(), lesion_id=f"L{i}") for i, row in enumerate(x)]
    x = np.array([one.latent for one in cases], np.float64) * np.sqrt(CLINICAL if preset == "clinical" else np.ones(4))
    pool = np.argsort(np.linalg.norm(x, axis=1))[:256].tolist()
    chosen: list[int] = []
    while len(chosen) < 12:
        left = [i for i in pool if i not in chosen]

        def cost(i: int) -> float:
            spread = min((float(np.linalg.norm(x[i] - x[j])) for j in chosen), default=0.0)
            return 0.3 * float(np.linalg.norm(x[i])) - 0.7 * spread

        chosen.append(min(left, key=cost))
    expected = [f"c{i:03d}" for i in chosen]
    first = search(cases, diversity=0.7, k=6, preset=preset)
    second = search(cases, diversity=0.7, k=6, offset=6, preset=preset)
    assert [*ids(first), *ids(second)] == expected


def test_search__refuses_what_the_collection_does_not_have(search: Search) -> None:
    with pytest.raises(WrongLatent, match="bundle other"):
        search(line(2), bundle_version="other")
    with pytest.raises(BadInput, match="no 'moon'"):
        search(line(2, site="back"), filters=(AnyOf(field="site", values=("moon",)),))
