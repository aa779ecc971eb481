"""Batches on their way to search, against a search that refuses."""

import threading
from collections.abc import Mapping

import pytest

from casekin.clients import SearchClient
from casekin.contracts.cases import Case, CaseBatch, CaseBatchReceipt, CaseUpload
from casekin.errors import CorruptImage, StorageFull, Unexpected
from casekin.ingest import Kind, Outcome, storing
from casekin.ingest.encoding import BugStop, Encoded
from casekin.ingest.storing import BatchWriter


class PickySearch(SearchClient):
    """Stores in memory; refuses a batch that holds one of `bad`, and everything once `room` cases are in."""

    def __init__(self, bad: set[str] = frozenset(), room: int = 10_000) -> None:
        super().__init__("http://unused")
        self.bad, self.room = bad, room
        self.stored: dict[str, bytes] = {}
        self.before: set[str] = set()
        self.taken: set[str] = set()
        self.sizes: list[int] = []

    def put_cases(self, batch: CaseBatch, images: Mapping[str, bytes]) -> CaseBatchReceipt:
        assert set(images) == {upload.case.id for upload in batch.cases}
        self.sizes.append(len(batch.cases))
        if refused := self.bad & set(images):
            raise CorruptImage(f"{min(refused)} is damaged")
        if len(self.stored) + len(images) > self.room:
            raise StorageFull("no space left on the device")
        self.stored |= images
        replaced = [case_id for case_id in images if case_id in self.before]
        taken = {} if batch.take_over else {case_id: "Other" for case_id in images if case_id in self.taken}
        return CaseBatchReceipt(stored=len(images) - len(taken), replaced=replaced, taken=taken, revision="r")


def encoded(number: int, size: int = 10) -> Encoded:
    upload = CaseUpload(case=Case(id=f"c{number:03}"), latent=[0.0], digest="0" * 64)
    return Encoded(upload, bytes(size), "")


def store(search: PickySearch, cases: list[Encoded]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with BatchWriter(search, "v1", outcomes.append) as writer:
        for case in cases:
            writer.add(case)
        writer.flush()
    return outcomes


def test_batch_writer__all_are_stored_in_batches_and_told() -> None:
    search = PickySearch()
    outcomes = store(search, [encoded(i) for i in range(150)])
    assert search.sizes == [64, 64, 22]
    assert [outcome.id for outcome in outcomes] == [f"c{i:03}" for i in range(150)]
    assert {outcome.kind for outcome in outcomes} == {Kind.INGESTED}


def test_batch_writer__tells_new_from_replaced_and_from_those_whose_id_is_taken() -> None:
    search = PickySearch()
    search.before, search.taken = {"c001"}, {"c002"}
    outcomes = store(search, [encoded(i) for i in range(3)])
    assert [outcome.kind for outcome in outcomes] == [Kind.INGESTED, Kind.REPLACED, Kind.SKIPPED]
    assert outcomes[2].code == "id-taken"
    assert "collection 'Other' has a case of this id already" in outcomes[2].reason


def test_batch_writer__large_images_travel_in_smaller_batches() -> None:
    search = PickySearch()
    store(search, [encoded(i, storing.BATCH_BYTES // 3 + 1) for i in range(7)])
    assert search.sizes == [3, 3, 1]


def test_batch_writer__refused_cases_are_found_and_the_others_stored() -> None:
    search = PickySearch(bad={"c003", "c040", "c041"})
    outcomes = store(search, [encoded(i) for i in range(64)])
    assert len(search.stored) == 61
    refused = [outcome for outcome in outcomes if outcome.kind is Kind.SKIPPED]
    assert [(outcome.id, outcome.code) for outcome in refused] == [
        (c, "corrupt-image") for c in ("c003", "c040", "c041")
    ]
    assert len(outcomes) == 64


def test_batch_writer__full_disk_stops_it() -> None:
    search = PickySearch(room=100)
    outcomes: list[Outcome] = []
    writer = BatchWriter(search, "v1", outcomes.append)

    def add_all() -> None:
        with writer:
            for number in range(1000):
                writer.add(encoded(number))

    with pytest.raises(StorageFull, match="no space left"):
        add_all()
    assert [outcome.id for outcome in outcomes] == list(search.stored)


def test_bug_stop__only_bugs_in_a_row_stop() -> None:
    bug = Outcome("x", Kind.SKIPPED, Unexpected.code, "boom")
    stop = BugStop()
    for _ in range(5):
        for _ in range(BugStop.LIMIT - 1):
            stop.watch(bug)
        stop.watch(Outcome("y", Kind.SKIPPED, CorruptImage.code))
    for _ in range(BugStop.LIMIT - 1):
        stop.watch(bug)
    with pytest.raises(Unexpected, match="20 images in a row"):
        stop.watch(bug)


class SlowSearch(PickySearch):
    """Waits in every request until the gate opens, and counts how many are under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.busy, self.most = threading.Event(), 0, 0

    def put_cases(self, batch: CaseBatch, images: Mapping[str, bytes]) -> CaseBatchReceipt:
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.gate.wait(10)
        receipt = super().put_cases(batch, images)
        self.busy -= 1
        return receipt


def test_batch_writer__flush_waits_until_all_are_durable_and_stores_one_batch_at_a_time() -> None:
    search, outcomes = SlowSearch(), list[Outcome]()
    threading.Timer(0.05, search.gate.set).start()
    with BatchWriter(search, "v1", outcomes.append) as writer:
        for number in range(storing.MAX_PENDING * storing.BATCH):
            writer.add(encoded(number))
        assert outcomes == [], "none is durable yet"
        writer.flush()
        assert len(outcomes) == len(search.stored) == storing.MAX_PENDING * storing.BATCH
    assert search.most == 1


def test_batch_writer__add_waits_while_too_many_batches_are_under_way() -> None:
    search, outcomes = SlowSearch(), list[Outcome]()
    with BatchWriter(search, "v1", outcomes.append) as writer:
        for number in range(storing.MAX_PENDING * storing.BATCH):
            writer.add(encoded(number))
        threading.Timer(0.05, search.gate.set).start()
        for number in range(storing.BATCH):
            writer.add(encoded(1000 + number))
        assert len(outcomes) >= storing.BATCH, "the first batch was waited for"
        writer.flush()


def test_batch_writer__after_an_error_batches_that_wait_are_not_stored() -> None:
    search = SlowSearch()

    def fail() -> None:
        with BatchWriter(search, "v1", lambda _: None) as writer:
            for number in range(storing.MAX_PENDING * storing.BATCH):
                writer.add(encoded(number))
            threading.Timer(0.05, search.gate.set).start()
            raise ValueError("the encoder is gone")

    with pytest.raises(ValueError, match="the encoder is gone"):
        fail()
    assert search.sizes == [storing.BATCH], "the one under way"


def test_batch_writer__sizes_of_images_are_counted_anew_for_each_batch() -> None:
    search = PickySearch()
    store(search, [encoded(number, storing.BATCH_BYTES // 2) for number in range(6)])
    assert search.sizes == [2, 2, 2]
