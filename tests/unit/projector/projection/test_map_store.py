"""The kept maps: newest first, the oldest dropped, one of them current."""

from pathlib import Path

import pytest

from casekin.contracts.maps import CaseMap
from casekin.errors import NotFound
from services.projector.latents.collection_latents import stable_sample
from services.projector.projection.map_store import MapStore
from tests.laid import case_map, map_id, version

PLACES = {"a": (0.0, 0.0), "b": (1.0, 0.0)}


def _filled(folder: Path, numbers: range, kept: int = 3) -> MapStore:
    maps = MapStore(folder, kept)
    for number in numbers:
        maps.add(case_map(PLACES, version(2, number=number, revision=f"r{number}")))
    return maps


def test_archive__keeps_the_newest_and_gives_back_what_it_was_given(tmp_path: Path) -> None:
    maps = _filled(tmp_path, range(1, 6))
    kept = maps.versions()
    assert [one.id for one in kept.maps] == [map_id(5), map_id(4), map_id(3)]
    assert kept.current is None
    assert CaseMap.model_validate_json(maps.read(map_id(4))).version == maps.version(map_id(4))
    assert not maps.has(map_id(1))
    with pytest.raises(NotFound, match="GET /v1/maps"):
        maps.read(map_id(1))
    assert len(list((tmp_path / "maps").iterdir())) == 6


def test_current_map__stays_when_it_is_older_than_those_kept(tmp_path: Path) -> None:
    maps = _filled(tmp_path, range(1, 2))
    assert maps.current() is None
    assert maps.make_current(map_id(1)).id == map_id(1)
    _filled(tmp_path, range(2, 8))
    assert maps.current_id() == map_id(1)
    maps.make_current(map_id(6))
    _filled(tmp_path, range(8, 9))
    assert not maps.has(map_id(1))
    with pytest.raises(NotFound, match=map_id(1)):
        maps.make_current(map_id(1))
    assert maps.current_id() == map_id(6)


def test_current_map__whose_file_was_taken_away_is_none(tmp_path: Path) -> None:
    maps = _filled(tmp_path, range(1, 2))
    maps.make_current(map_id(1))
    (tmp_path / "maps" / f"{map_id(1)}.about.json").unlink()
    assert maps.current_id() is None


def test_latest__is_of_the_same_bundle_and_preset_and_of_another_revision(tmp_path: Path) -> None:
    maps = _filled(tmp_path, range(1, 4), kept=9)
    maps.add(case_map(PLACES, version(2, number=4, bundle="next-1")))
    maps.add(case_map(PLACES, version(2, number=5, preset="clinical")))
    found = maps.latest("tiny-1", "visual", other_than="r3")
    assert found is not None
    assert found.id == map_id(2)
    assert maps.latest("other-1", "visual", other_than="r3") is None


def test_cases__that_are_removed_are_on_no_map_any_more(tmp_path: Path) -> None:
    maps = MapStore(tmp_path, kept=5)
    for number in (1, 2):
        maps.add(case_map({"a": (1, 2), "b": (3, 4), "c": (5, 6)}, version(3, number=number)))
    maps.add(case_map({"a": (1, 2)}, version(1, number=3)))
    assert maps.remove_cases(frozenset({"b", "unknown"})) == 2
    assert maps.remove_cases(frozenset({"b"})) == 0
    left = CaseMap.model_validate_json(maps.read(map_id(2)))
    assert (left.cases, left.x, left.y, left.diagnoses) == (["a", "c"], [1, 5], [2, 6], [None, None])
    assert left.version == maps.version(map_id(2))
    assert (left.version.cases, left.version.fitted) == (2, 2)
    assert maps.stored_ids() == {"a", "c"}


def test_sample__that_umap_laid_out_is_the_same_after_a_case_was_removed(tmp_path: Path) -> None:
    names = [f"case-{number}" for number in range(40)]
    about = version(40).model_copy(update={"fitted": 10})
    laid_out = {names[row] for row in stable_sample(names, 10)}
    gone, stays = min(laid_out), min(set(names) - laid_out)
    maps = MapStore(tmp_path, kept=5)
    maps.add(case_map({name: (float(row), 0.0) for row, name in enumerate(names)}, about))
    maps.remove_cases(frozenset({gone, stays}))
    left = CaseMap.model_validate_json(maps.read(about.id))
    assert {left.cases[row] for row in stable_sample(left.cases, left.version.fitted)} == laid_out - {gone}
