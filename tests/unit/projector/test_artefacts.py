"""Results on disk: whole or not at all, expiring, with one current map that does not."""

import errno
import os
import time
from pathlib import Path

import pytest

from casekin.contracts.projector import Placement
from casekin.errors import Gone, NotFound, StorageFull
from services.projector.artefacts import Artefacts
from tests.unit.projector.test_placing import CORNERS, case_map

PLACED = Placement(map_id="m", x=1.0, y=2.0, spread=0.1, neighbours=["a"])


def _age(folder: Path, name: str, seconds: float) -> None:
    old = time.time() - seconds
    os.utime(folder / "results" / f"{name}.json", (old, old))


def test_result__comes_back_until_it_expires(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path, lifetime_s=60)
    artefacts.write("j", PLACED)
    assert Placement.model_validate_json(artefacts.read("j")) == PLACED
    _age(tmp_path, "j", 61)
    assert not artefacts.has("j")
    with pytest.raises(Gone, match=r"job j has expired \(0\.0167 hours"):
        artefacts.read("j")
    assert artefacts.sweep() == 1
    assert list((tmp_path / "results").iterdir()) == []
    with pytest.raises(Gone):
        artefacts.read("j")


def test_current_map__outlives_its_time_until_another_is_current(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path, lifetime_s=60)
    with pytest.raises(NotFound):
        artefacts.current_map()
    for name in ("m1", "m2"):
        artefacts.write(name, case_map(CORNERS, name=name))
        artefacts.set_current(case_map(CORNERS, name=name))
        _age(tmp_path, name, 1000)
    assert artefacts.sweep() == 1
    assert not artefacts.has("m1")
    assert artefacts.has("m2")
    current = artefacts.current()
    assert current is not None
    assert (current.id, current.cases, current.preset) == ("m2", 3, "visual")
    (tmp_path / "results" / "m2.json").unlink()
    assert artefacts.current() is None


def test_write__to_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artefacts = Artefacts(tmp_path, lifetime_s=60)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="free some"):
        artefacts.write("j", PLACED)
    assert list((tmp_path / "results").iterdir()) == []
