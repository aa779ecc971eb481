"""Collection-wide counts: right, computed once a revision, and with clear words for what cannot be filtered by."""

from typing import Any

import pytest

from casekin.contracts.cases import Case
from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not
from casekin.errors import BadInput
from services.search.retrieval import collection_counts
from services.search.retrieval.collection_counts import CollectionCounts, CountsCache
from tests.unit.search.retrieval.counted import Counted

LONG = "x" * 501
CASES = [
    Case(id="a", lesion_id="L1", diagnosis="nv", site="back", age=30, attributes={"lens": "D3", "report": LONG}),
    Case(id="b", lesion_id="L1", diagnosis="nv", site="face", age=50),
    Case(id="c", lesion_id="L2", diagnosis="mel", age=40, attributes={"lens": "D3"}),
    Case(id="d", diagnosis="mel", site="back", attributes={"lens": "D5", "report": "one\ntwo"}),
    Case(id="e"),
]
BACK = AnyOf(field="site", values=("back",))


def no_vocabulary() -> dict[str, set[str]]:
    return {}


@pytest.fixture
def index() -> Counted:
    return Counted(CASES)


@pytest.fixture
def counts(index: Counted) -> CollectionCounts:
    return CountsCache(index.port).current()


def test_counts__of_the_whole_collection(counts: CollectionCounts) -> None:
    assert (counts.cases, counts.lesions, counts.ages, counts.revision) == (5, 4, (30, 50), "1")
    assert counts.values("diagnosis") == {"nv": 2, "mel": 2}
    expected = ("diagnosis", "site", "sex", "evidence", "source", "attributes.lens", "attributes.report")
    assert counts.fields == expected


def test_values__that_no_filter_could_name_are_left_out(counts: CollectionCounts) -> None:
    assert counts.values("attributes.report") == {}
    assert counts.values_under((BACK,), "attributes.lens") == {"D3": 1, "D5": 1}


def test_values__of_a_further_column_are_the_most_frequent_alone(index: Counted, counts: CollectionCounts) -> None:
    counts.values("attributes.lens")
    counts.values("site")
    assert [call[3] for call in index.calls] == [50, None]


def test_passing__is_counted_once_and_unknown_by_its_condition(index: Counted, counts: CollectionCounts) -> None:
    assert [counts.passing((BACK,)), counts.passing((BACK,)), counts.passing(())] == [2, 2, 5]
    assert counts.passing(()) == 5
    assert index.calls == [("count", (BACK,)), ("count", ())]
    assert counts.unknown("site", ()) == 2
    assert counts.unknown("site", (Between(low=35, high=45),)) == 1
    assert counts.values("site") is counts.values("site")


def test_passing__forgets_the_oldest_filters(
    index: Counted, counts: CollectionCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_counts, "_CACHED_COUNTS", 2)
    filters: list[tuple[Condition, ...]] = [(Between(low=low),) for low in (1, 2, 3)]
    for conditions in filters:
        counts.passing(conditions)
    counts.passing(filters[2])
    counts.passing(filters[1])
    assert len(index.calls) == 3
    counts.passing(filters[0])
    assert len(index.calls) == 4


def test_cache__counts_anew_after_a_change(index: Counted) -> None:
    cache = CountsCache(index.port)
    first = cache.current()
    assert cache.current() is first
    index.cases.pop()
    index.revision = "2"
    second = cache.current()
    assert (second.cases, second.revision) == (4, "2")
    assert cache.current() is second


@pytest.mark.parametrize(
    "condition",
    [
        BACK,
        AnyOf(field="site", values=("nape",)),
        AnyOf(field="site", keep_unknown=True),
        AnyOf(field="lesion_id", values=("L2",)),
        AnyOf(field="attributes.lens", values=("D5",)),
        Between(low=3),
        Not(of=And(of=(BACK, Between(high=4)))),
    ],
)
def test_check__passes_what_cases_or_vocabulary_have(counts: CollectionCounts, condition: Condition) -> None:
    counts.check((condition,), lambda: {"site": {"nape"}})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"field": "attributes.none", "values": ("x",)},
            "cases cannot be filtered by 'attributes.none'; they can by diagnosis, site, sex, evidence, source, "
            "attributes.lens, attributes.report, lesion_id, age",
        ),
        ({"field": "site", "values": ("back", "moon")}, "site: the collection has no 'moon'; it has back, face, nape"),
        ({"field": "sex", "values": ("male",)}, "sex: the collection has no 'male'; it has none yet"),
        ({"field": "lesion_id", "values": ("L9",)}, "lesion_id: the collection has no 'L9'"),
        ({"field": "attributes.lens", "values": ("D9",)}, "attributes.lens: the collection has no 'D9'; it has D3, D5"),
    ],
)
def test_check__names_what_there_is(counts: CollectionCounts, fields: dict[str, Any], text: str) -> None:
    for condition in (AnyOf(**fields), Not(of=AnyOf(**fields))):
        with pytest.raises(BadInput) as caught:
            counts.check((Between(), condition), lambda: {"site": {"nape"}})
        assert caught.value.detail == text


def test_check__reads_no_vocabulary_without_conditions(counts: CollectionCounts) -> None:
    def fail() -> dict[str, set[str]]:
        raise AssertionError

    counts.check((), fail)
    with pytest.raises(AssertionError):
        counts.check((BACK,), fail)


def test_check__finds_a_rare_value_that_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_counts, "LISTED_VALUES", 1)
    counts = CountsCache(Counted(CASES).port).current()
    assert counts.values("attributes.lens") == {"D3": 2}
    counts.check((AnyOf(field="attributes.lens", values=("D5",)),), no_vocabulary)


def test_check__lists_at_most_fifty_values_and_shortens_them() -> None:
    cases = [Case(id=str(number), site=f"{number:03}" + "y" * 70) for number in range(53)]
    counts = CountsCache(Counted(cases).port).current()
    with pytest.raises(BadInput) as caught:
        counts.check((AnyOf(field="site", values=("z" * 61,)),), no_vocabulary)
    detail = caught.value.detail
    assert detail.startswith(f"site: the collection has no '{'z' * 60}…'; it has 000{'y' * 57}…, 001")
    assert detail.endswith(f"049{'y' * 57}… and 3 more")


def test_check__lists_fifty_values_whole() -> None:
    counts = CountsCache(Counted([Case(id=str(number), site="y" * 58 + f"{number:02}") for number in range(50)]).port)
    with pytest.raises(BadInput) as caught:
        counts.current().check((AnyOf(field="site", values=("z",)),), no_vocabulary)
    assert caught.value.detail.endswith("y49")
    assert "…" not in caught.value.detail


def test_ages__of_a_collection_without_any_are_none() -> None:
    counts = CountsCache(Counted([Case(id="a")]).port).current()
    assert (counts.ages, counts.lesions) == (None, 1)
