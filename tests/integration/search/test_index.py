"""What every engine must do behind the port `CaseIndex`."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from casekin.contracts.conditions import And, AnyOf, Between, Condition, Not, Or
from casekin.errors import Unavailable
from services.search.vector_store.named_vectors import Metric, Space
from services.search.vector_store.port import CaseIndex
from tests.integration.search.conftest import MakeIndex
from tests.integration.search.made import CLINICAL, collection, latents, stored

VISUAL = Metric("visual", np.ones(4))


def any_of(field: str, *values: str) -> AnyOf:
    return AnyOf(field=field, values=values)


def ids_of(index: CaseIndex, *conditions: Condition, limit: int = 100) -> set[str]:
    view = index.view()
    found = view.nearest(VISUAL, np.zeros(4), conditions, limit)
    return {stored.case.id for stored in view.read(found.points) if stored}


def test_upsert__is_read_back_whole(index: CaseIndex) -> None:
    cases = [
        stored("A", [1.5, -2.25, 0.1, 3], age=45, sex="male", diagnosis="nv", attributes={"lens": "D3", "x": ""}),
        stored("b.1_2-3", [0, 0, 0, 0]),
        stored("C", [1e-3, 1e3, -1e6, 1], age=0, lesion_id="L1", image="f" * 32),
    ]
    index.upsert(cases)
    read = index.get(["C", "A", "missing", "b.1_2-3"])
    assert [one.case for one in read] == [cases[2].case, cases[0].case, cases[1].case]
    assert [one.image for one in read] == [cases[i].image for i in (2, 0, 1)]
    np.testing.assert_array_equal([one.latent for one in read], [cases[i].latent for i in (2, 0, 1)])
    assert index.digests(["A", "missing"]) == {"A": cases[0].digest}
    assert index.count() == 3


def test_upsert__replaces_by_id_and_forgets_old_values(index: CaseIndex) -> None:
    index.upsert([stored("A", [1, 2, 3, 4], sex="male", age=30, attributes={"old": "1"})])
    index.upsert([stored("A", [4, 3, 2, 1], diagnosis="mel")])
    assert index.count() == 1
    [read] = index.get(["A"])
    assert read.case.model_dump(exclude_defaults=True) == {"id": "A", "diagnosis": "mel"}
    assert index.facet("sex") == {}
    assert index.age_range() is None


def test_revision__changes_with_every_write_and_only_then(index: CaseIndex) -> None:
    seen = [index.revision()]
    changes: list[Callable[[], None]] = [
        lambda: index.upsert([stored("A", [0, 0, 0, 0])]),
        lambda: index.upsert([stored("A", [0, 0, 0, 1])]),
        lambda: index.delete(["A"]),
    ]
    for change in changes:
        change()
        index.count()
        index.view().nearest(VISUAL, np.zeros(4), (), 3)
        assert index.revision() == index.revision()
        seen.append(index.revision())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("space", ["visual", "clinical", "weighted"])
def test_nearest__gives_squared_weighted_distances(index: CaseIndex, space: Space) -> None:
    cases = collection(60)
    index.upsert(cases)
    weights = {"visual": np.ones(4), "clinical": CLINICAL, "weighted": np.array([0.0, 2.0, 0.5, 1.0])}[space]
    q = np.array([0.5, -1.0, 0.25, 2.0])
    hits = index.view().nearest(Metric(space, weights), q, (), 20)
    assert len(hits.points) == 20
    squared = np.sort((latents(cases) - q) ** 2 @ weights)[:20]
    np.testing.assert_allclose(hits.squared, squared, rtol=1e-4, atol=1e-4)


def test_nearest__leaves_out_points_by_id(index: CaseIndex) -> None:
    cases = collection(30)
    index.upsert(cases)
    view, q = index.view(), np.zeros(4)
    before = view.nearest(VISUAL, q, (), 10).points
    assert view.nearest(VISUAL, q, (), 8, without=before[:2]).points == before[2:]
    male = (any_of("sex", "male"),)
    first = view.nearest(VISUAL, q, male, 10).points
    rest = view.nearest(VISUAL, q, male, 10, without=first[:1]).points
    assert rest[:9] == first[1:]


def test_view__stays_while_the_revision_does(index: CaseIndex) -> None:
    index.upsert(collection(10))
    before = index.view()
    assert index.view() is before
    index.upsert([stored("A", [0, 0, 0, 0])])
    assert index.view().revision == index.revision() != before.revision


def test_view__reads_are_its_own_whatever_others_read(index: CaseIndex) -> None:
    """An older view that is still in use must not bring old cases back into a newer one."""
    index.upsert([stored("A", [0, 0, 0, 0], diagnosis="nv")])
    older = index.view()
    point = older.nearest(VISUAL, np.zeros(4), (), 1).points
    assert older.read(point)
    index.upsert([stored("A", [0, 0, 0, 0], diagnosis="mel")])
    newer = index.view()
    older.read(point)
    [read] = newer.read(point)
    assert read is not None
    assert read.case.diagnosis == "mel"
    index.delete(["A"])
    assert index.view().read(point) == [None]


def test_delete__removes_from_all_reads(index: CaseIndex) -> None:
    index.upsert(collection(20))
    index.delete(["ISIC_0000003", "ISIC_0000007", "unheard-of"])
    assert index.count() == 18
    assert index.get(["ISIC_0000003"]) == []
    assert not {"ISIC_0000003", "ISIC_0000007"} & (ids_of(index) | set(index.ids()))


def test_conditions__unknown_passes_only_where_kept(index: CaseIndex) -> None:
    index.upsert(
        [
            stored("young", [0, 0, 0, 0], age=20, sex="male"),
            stored("edge", [0, 0, 0, 0], age=30, sex="female"),
            stored("old", [0, 0, 0, 0], age=80),
            stored("ageless", [0, 0, 0, 0], sex="female"),
        ]
    )
    male, female = any_of("sex", "male"), any_of("sex", "female")
    assert ids_of(index, Between(low=20, high=30)) == {"young", "edge"}
    assert ids_of(index, Between(high=29.9)) == {"young"}
    assert ids_of(index, Between(low=30, keep_unknown=True)) == {"edge", "old", "ageless"}
    assert ids_of(index, any_of("sex", "female", "male")) == {"young", "edge", "ageless"}
    assert ids_of(index, AnyOf(field="sex", values=("male",), keep_unknown=True)) == {"young", "old"}
    assert ids_of(index, AnyOf(field="sex", keep_unknown=True)) == {"old"}
    both = (female, Between(low=0, high=50))
    assert ids_of(index, *both) == {"edge"}
    assert index.count(both) == 1
    assert ids_of(index, Not(of=female)) == {"young", "old"}, "an unknown sex is not female"
    assert ids_of(index, Not(of=AnyOf(field="sex", values=("female",), keep_unknown=True))) == {"young"}
    assert ids_of(index, Or(of=(male, Between(low=70)))) == {"young", "old"}
    assert ids_of(index, Not(of=And(of=(female, Between(high=40))))) == {"young", "old", "ageless"}


def test_columns__filter_and_count_whatever_their_names(index: CaseIndex) -> None:
    index.upsert([stored("plain", [0, 0, 0, 0])])
    assert index.columns() == []
    index.upsert(
        [
            stored("a", [0, 0, 0, 0], attributes={"lens": "D3", "Skin type (I-VI)": "II"}),
            stored("b", [0, 0, 0, 0], attributes={"lens": "D5", "a.b": "x", 'no "path"': "y"}),
        ]
    )
    assert index.columns() == ["attributes.Skin type (I-VI)", "attributes.a.b", "attributes.lens"]
    assert index.facet("attributes.lens") == {"D3": 1, "D5": 1}
    assert len(index.facet("attributes.lens", most=1)) == 1
    assert ids_of(index, any_of("attributes.lens", "D3")) == {"a"}
    assert ids_of(index, any_of("attributes.a.b", "x")) == {"b"}
    assert ids_of(index, Not(of=any_of("attributes.Skin type (I-VI)", "II"))) == {"plain", "b"}
    assert ids_of(index, AnyOf(field="attributes.lens", keep_unknown=True)) == {"plain"}


def test_facet__counts_agree_with_a_count_by_hand(index: CaseIndex) -> None:
    cases = collection(97)
    index.upsert(cases)
    asked = (any_of("evidence", "histo"), Between(low=20, high=70, keep_unknown=True))
    passing = [
        one.case for one in cases if one.case.evidence == "histo" and (one.case.age is None or 20 <= one.case.age <= 70)
    ]
    for field in ("diagnosis", "site", "sex", "lesion_id"):
        values = [getattr(case, field) for case in passing]
        expected = {value: values.count(value) for value in set(values) - {None}}
        assert {v: n for v, n in index.facet(field, asked).items() if n} == expected
    ages = [one.case.age for one in cases if one.case.age is not None]
    assert index.age_range() == (min(ages), max(ages))


def test_ids__ascend_and_follow_changes(index: CaseIndex) -> None:
    cases = collection(50)
    index.upsert(cases[::-1])
    assert index.ids() == [one.case.id for one in cases]
    index.upsert([stored("A", [0, 0, 0, 0])])
    assert index.ids()[0] == "A"
    siblings = [one.case.id for one in cases if one.case.lesion_id == cases[1].case.lesion_id]
    assert index.ids((any_of("lesion_id", str(cases[1].case.lesion_id)),)) == siblings


def test_close__then_reads_are_refused_by_name(make_index: MakeIndex, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["make_index"] == "server":
        pytest.skip("the collection is dropped through the same client")
    index = make_index(np.ones(4))
    index.upsert(collection(3))
    index.close()
    with pytest.raises(Unavailable, match="closed"):
        index.count((any_of("sex", "male"),))


def test_threads__search_while_others_write(make_index: MakeIndex, request: pytest.FixtureRequest) -> None:
    if "server-in-memory" in request.node.name:
        pytest.skip("qdrant-client's in-memory mode is one thread's; a real server is not")
    index = make_index(np.ones(4))
    index.upsert(collection(200))
    faults: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        rng = np.random.default_rng(threading.get_ident() % 1000)
        try:
            while not stop.is_set():
                view = index.view()
                found = view.nearest(Metric("weighted", np.ones(4)), rng.normal(size=4), (any_of("sex", "male"),), 10)
                assert len(found.points) == 10
                cases = view.read(found.points)
                assert all(one is not None and len(one.latent) == len(one.image) - 28 == 4 for one in cases)
        except BaseException as fault:
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    writers = [threading.Thread(target=index.upsert, args=(collection(400, seed=s)[200:],)) for s in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert index.count() == 400
