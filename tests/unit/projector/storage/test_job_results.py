"""Results on disk: whole or not at all, and expiring."""

import errno
import os
import time
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
    with pytest.raises(Gone, match=r"job j has expired \(0\.0167 hours"):
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
