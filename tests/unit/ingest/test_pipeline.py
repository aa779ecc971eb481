"""The pipeline from rows to stored cases, with an encoder and a search in memory."""

import os
import threading

import pytest

from casekin.collections import LoadedCollection, Row, Skipped
from casekin.contracts.collection import CollectionInfo
from casekin.errors import Conflict, CorruptImage, StorageFull, Unauthorized, Unavailable, Unexpected
from casekin.ingest import Ingest, Kind, Outcome, pipeline
from casekin.ingest.encoding import BugStop, case_digest
from tests.unit.ingest.fakes import VERSION, FakeEncoder, FakeSearch, row

INFO = CollectionInfo(title="Clinic")


def collection(rows: list[Row], skipped: list[Skipped] | None = None) -> LoadedCollection:
    return LoadedCollection(INFO, rows, skipped or [], ["cases.csv"])


def ids(outcomes: list[Outcome], kind: Kind) -> list[str]:
    return [outcome.id for outcome in outcomes if outcome.kind is kind]


def test_run__stores_each_case_with_its_image_latent_and_digest() -> None:
    encoder, search, outcomes = FakeEncoder(), FakeSearch(), []
    rows = [row(number, note=f"note {number}") for number in range(5)]
    summary = Ingest(encoder, search, workers=2).run(collection(rows), outcomes.append)
    assert list(search.stored) == [f"c{number:04}" for number in range(5)]
    for number, upload in enumerate(search.stored.values()):
        assert upload.latent == [number + 1]
        assert upload.digest == case_digest(bytes(number + 1), upload.case)
        assert search.images[upload.case.id] == bytes(number + 1)
    assert search.versions == {VERSION}
    assert [(one.id, one.kind, one.reason) for one in outcomes] == [
        (f"c{number:04}", Kind.INGESTED, f"note {number}") for number in range(5)
    ]
    assert summary.counts == {Kind.INGESTED: 5}
    assert not summary.interrupted
    assert set(encoder.reconstructions) == {False}


def test_run__again_encodes_and_stores_nothing() -> None:
    encoder, search = FakeEncoder(), FakeSearch()
    rows = [row(number, note="odd") for number in range(5)]
    Ingest(encoder, search, workers=2).run(collection(rows))
    encoder.encoded.clear()
    search.batches.clear()
    search.described.clear()
    outcomes: list[Outcome] = []
    summary = Ingest(encoder, search, workers=2).run(collection(rows), outcomes.append)
    assert (encoder.encoded, search.batches, search.described) == ([], [], [])
    assert summary.counts == {Kind.UNCHANGED: 5}
    assert [(outcome.id, outcome.reason) for outcome in outcomes] == [(f"c{number:04}", "odd") for number in range(5)]


def test_run__encodes_only_what_has_changed() -> None:
    encoder, search = FakeEncoder(), FakeSearch()
    Ingest(encoder, search).run(collection([row(number) for number in range(5)]))
    encoder.encoded.clear()
    changed = [row(number, b"new" if number == 3 else None) for number in range(6)]
    summary = Ingest(encoder, search).run(collection(changed))
    assert sorted(encoder.encoded) == sorted([b"new", bytes(6)])
    assert summary.counts == {Kind.UNCHANGED: 4, Kind.REPLACED: 1, Kind.INGESTED: 1}


def test_run__describes_the_collection_once_and_not_where_it_is_described_so() -> None:
    search = FakeSearch()
    Ingest(FakeEncoder(), search).run(collection([row(1)]))
    assert [info.title for info in search.described] == ["Clinic"]
    Ingest(FakeEncoder(), search).run(collection([row(1), row(2)]))
    assert len(search.described) == 1


def test_run__keeps_cases_of_another_collection_and_names_it_unless_told_to_take_over() -> None:
    search = FakeSearch()
    Ingest(FakeEncoder(), search).run(collection([row(1)]))
    other = LoadedCollection(CollectionInfo(title="Other"), [row(1, b"other"), row(2)], [], ["cases.csv"])
    outcomes: list[Outcome] = []
    Ingest(FakeEncoder(), search).run(other, outcomes.append)
    assert [(one.id, one.kind, one.code) for one in outcomes] == [
        ("c0001", Kind.SKIPPED, "id-taken"),
        ("c0002", Kind.INGESTED, ""),
    ]
    assert "collection 'Clinic' has a case of this id already, and this one is of 'Other'" in outcomes[0].reason
    assert search.images["c0001"] == bytes(2)
    summary = Ingest(FakeEncoder(), search, take_over=True).run(other)
    assert summary.counts == {Kind.REPLACED: 1, Kind.UNCHANGED: 1}
    assert search.images["c0001"] == b"other"


def test_run__where_nothing_is_in_describes_nothing() -> None:
    search = FakeSearch()
    summary = Ingest(FakeEncoder(), search).run(collection([row(1, CorruptImage("cut off"))]))
    assert summary.is_empty
    assert search.described == []


def test_run__reports_what_the_collection_skipped_first() -> None:
    outcomes: list[Outcome] = []
    faults = [Skipped("x.jpg", "no-row", "no line names it"), Skipped("y", "no-image", "none")]
    summary = Ingest(FakeEncoder(), FakeSearch()).run(collection([row(1)], faults), outcomes.append)
    assert outcomes[:2] == [
        Outcome("x.jpg", Kind.SKIPPED, "no-row", "no line names it"),
        Outcome("y", Kind.SKIPPED, "no-image", "none"),
    ]
    assert summary.skipped_by_code == {"no-row": 1, "no-image": 1}
    assert not summary.interrupted


def test_run__skips_bad_images_and_goes_on() -> None:
    encoder, search = FakeEncoder(), FakeSearch()
    encoder.faults[bytes(3)] = CorruptImage("cut off")
    rows = [row(1), row(2), row(3, CorruptImage("locked")), row(4)]
    outcomes: list[Outcome] = []
    Ingest(encoder, search).run(collection(rows), outcomes.append)
    assert list(search.stored) == ["c0001", "c0004"]
    skipped = [(one.id, one.code, one.reason) for one in outcomes if one.kind is Kind.SKIPPED]
    assert skipped == [("c0002", "corrupt-image", "cut off"), ("c0003", "corrupt-image", "locked")]


@pytest.mark.parametrize("error", [Unauthorized("no"), Unavailable("no"), StorageFull("no"), Conflict("no")])
def test_run__error_that_would_meet_every_image_ends_it(error: Exception) -> None:
    encoder = FakeEncoder()
    encoder.faults[bytes(3)] = error  # type: ignore[assignment]
    with pytest.raises(type(error), match="no"):
        Ingest(encoder, FakeSearch(), workers=1).run(collection([row(number) for number in range(200)]))
    assert len(encoder.encoded) < 20, "images far behind it were not begun"


def test_run__services_of_different_bundles_are_refused_before_anything_is_written() -> None:
    encoder, search = FakeEncoder("tiny-2"), FakeSearch()
    with pytest.raises(Conflict, match="the encoder serves bundle tiny-2, search holds cases of tiny-1"):
        Ingest(encoder, search).run(collection([row(1)]))
    assert (encoder.encoded, search.described, search.batches) == ([], [], [])


def test_run__bundle_that_changes_in_mid_ingest_ends_it_and_stores_no_latent_of_the_other() -> None:
    encoder, search = FakeEncoder(), FakeSearch()

    def change() -> None:
        if len(encoder.encoded) == 10:
            encoder.version = "tiny-2"

    with pytest.raises(Conflict, match="changed from bundle tiny-1 to tiny-2 during the ingest"):
        Ingest(encoder, search, workers=1, pace=change).run(collection([row(number) for number in range(100)]))
    assert all(upload.latent[0] <= 10 for upload in search.stored.values())


def test_run__stop_finishes_what_is_under_way_and_starts_no_more() -> None:
    encoder, search, stop = FakeEncoder(), FakeSearch(), threading.Event()

    def pace() -> None:
        if len(encoder.encoded) == 20:
            stop.set()

    rows = [row(number) for number in range(1000)]
    outcomes: list[Outcome] = []
    summary = Ingest(encoder, search, workers=2, pace=pace).run(collection(rows), outcomes.append, stop)
    assert summary.interrupted
    assert 20 <= len(encoder.encoded) < 40
    assert len(search.stored) == len(encoder.encoded) == summary.counts[Kind.INGESTED] == len(outcomes)


def test_run__stop_before_it_begins_encodes_nothing() -> None:
    encoder, stop = FakeEncoder(), threading.Event()
    stop.set()
    summary = Ingest(encoder, FakeSearch()).run(collection([row(1)]), stop=stop)
    assert (encoder.encoded, summary.done, summary.interrupted) == ([], 0, True)
    faults = [Skipped("x", "no-row", "none"), Skipped("y", "no-row", "none")]
    assert Ingest(encoder, FakeSearch()).run(collection([row(1)], faults), stop=stop).interrupted


def test_run__asks_for_digests_in_requests_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "DIGESTS_PER_REQUEST", 4)
    encoder, search = FakeEncoder(), FakeSearch()
    rows = [row(number) for number in range(10)]
    Ingest(encoder, search).run(collection(rows))
    assert search.digest_requests == [4, 4, 2]
    assert len(encoder.encoded) == 10
    encoder.encoded.clear()
    Ingest(encoder, search).run(collection(rows))
    assert encoder.encoded == []


def test_run__waits_for_the_pace_before_each_image_that_is_encoded() -> None:
    encoder, search = FakeEncoder(), FakeSearch()
    begun: list[int] = []
    ingest = Ingest(encoder, search, workers=1, pace=lambda: begun.append(len(encoder.encoded)))
    ingest.run(collection([row(number) for number in range(3)]))
    assert begun == [0, 1, 2]
    ingest.run(collection([row(number) for number in range(4)]))
    assert begun == [0, 1, 2, 3]


def test_run__encodes_as_many_at_once_as_there_are_workers() -> None:
    gate = threading.Barrier(4, timeout=10)
    Ingest(FakeEncoder(), FakeSearch(), workers=4, pace=lambda: gate.wait() and None).run(
        collection([row(number) for number in range(8)])
    )
    busy, most, lock = 0, 0, threading.Lock()

    class Counting(FakeEncoder):
        def encode(self, image: bytes, *, reconstruction: bool = True):
            nonlocal busy, most
            with lock:
                busy += 1
                most = max(most, busy)
            threading.Event().wait(0.002)
            answer = super().encode(image, reconstruction=reconstruction)
            with lock:
                busy -= 1
            return answer

    Ingest(Counting(), FakeSearch(), workers=3).run(collection([row(number) for number in range(40)]))
    assert most == 3


def test_run__is_ended_by_bugs_alone() -> None:
    encoder, search = FakeEncoder(), FakeSearch()
    rows = [row(number, Unexpected("boom")) for number in range(100)]
    with pytest.raises(Unexpected, match=f"{BugStop.LIMIT} images in a row met an unexpected error, the last: boom"):
        Ingest(encoder, search, workers=1).run(collection(rows))


def test_default_workers__are_two_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert pipeline.default_workers() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert pipeline.default_workers() == 2
