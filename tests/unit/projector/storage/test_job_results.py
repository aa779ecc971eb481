"""Results on disk: whole or not at all, and expiring."""

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from casekin.contracts.maps import Placement
from casekin.errors import Gone, StorageFull
from services.projector.storage.job_results import JobResults
from tests.laid import map_id

PLACED = Placement(map_id=map_id(), x=1.0, y=2.0, spread=0.1, error=None, neighbours=["a"])


def test_result__comes_back_until_it_expires(tmp_path: Path) -> None:
    results = JobResults(tmp_path, lifetime_s=60)
    results.write("j", PLACED)
    assert Placement.model_validate_json(results.read("j")) == PLACED
    old = time.time() - 61
    os.utime(tmp_path / "results" / "j.json", (old, old))
    assert not results.has("j")
    with pytest.raises(Gone, match=r"job j has expired: results are kept 0\.0167 hours"):
        results.read("j")
    assert results.sweep() == 1
    assert list((tmp_path / "results").iterdir()) == []
    with pytest.raises(Gone):
        results.read("j")


def test_write__to_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = JobResults(tmp_path, lifetime_s=60)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="free some"):
        results.write("j", PLACED)
    assert list((tmp_path / "results").iterdir()) == []


def test_removal__takes_results_that_may_show_a_case_and_summaries_that_name_it(tmp_path: Path) -> None:
    results = JobResults(tmp_path, lifetime_s=60)
    for job in ("place", "ingest", "quiet"):
        results.write(job, PLACED)
    results.attach("ingest", ".csv", lambda stream: stream.write(b'id,outcome\n"C""7",ingested\n'))
    results.attach("quiet", ".csv", lambda stream: stream.write(b"id,outcome\nC8,ingested\n"))
    (tmp_path / "results" / ".x.part").write_bytes(b"C7")
    asked: list[set[str]] = []

    def summaries(jobs: Iterable[str]) -> set[str]:
        asked.append(set(jobs))
        return {"ingest", "quiet"}

    assert results.remove_written_before(time.time() + 1, summaries, frozenset({'C"7'})) == 2
    assert asked == [{"place", "ingest", "quiet"}]
    assert sorted(file.name for file in (tmp_path / "results").iterdir()) == [".x.part", "quiet.csv", "quiet.json"]
    assert results.remove_written_before(time.time() - 60, summaries, frozenset({"C8"})) == 0, "written since"
