"""A query on a map: which neighbours count, and how honest its place is."""

from pathlib import Path

import numpy as np
import pytest

from casekin.contracts.maps import MapPlace
from casekin.errors import Conflict
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.projection.map_cache import MapCache
from services.projector.projection.map_store import MapStore
from services.projector.projection.placement import PlacementMap, build_placement_map, expected_error, place_on
from tests.laid import PLACING, case_map, map_id, version

PLACES = {"a": (0.0, 0.0), "b": (8.0, 0.0), "c": (0.0, 4.0)}
LATENTS = np.array([[0, 0], [5, 0], [0, 4]], np.float32)


def _collection(cases: str = "abc", bundle: str = "tiny-1", revision: str = "1") -> CollectionLatents:
    return CollectionLatents(
        bundle, revision, list(cases), [None] * len(cases), [None] * len(cases), LATENTS[: len(cases)]
    )


def _place(placement_map: PlacementMap, latent: list[float], k: int = 2) -> tuple[float, float, float]:
    placed = place_on(placement_map, MapPlace(bundle_version="tiny-1", latent=latent, neighbours=k))
    return placed.x, placed.y, placed.spread


def test_place__of_a_case_is_where_it_lies() -> None:
    placement_map = build_placement_map(case_map(PLACES), _collection())
    assert _place(placement_map, [0, 0]) == (0, 0, 0.25)  # the mean of 0 and 4, of a map 8 wide
    assert _place(placement_map, [5, 0]) == (8, 0, 0.5)
    assert _place(placement_map, [0, 4]) == (0, 4, 0.25)


def test_place__measures_with_the_maps_weights() -> None:
    placement_map = build_placement_map(case_map(PLACES, version(3, weights=(0.0, 1.0))), _collection())
    assert _place(placement_map, [100, 4], k=1) == (0, 4, 0)


def test_atlas__does_without_cases_that_were_deleted() -> None:
    placement_map = build_placement_map(case_map(PLACES), _collection("ab"))
    assert placement_map.knn.collection.cases == ["a", "b"]
    assert placement_map.width == 8
    with pytest.raises(Conflict, match="none of the cases on the map"):
        build_placement_map(case_map(PLACES), _collection("xyz"))


@pytest.mark.parametrize(("spread", "median"), [(0.0, 0.01), (0.05, 0.01), (0.2, 0.1), (0.9, 0.1)])
def test_error__is_that_of_cases_with_such_a_spread(spread: float, median: float) -> None:
    error = expected_error(PLACING, spread)
    assert error is not None
    assert error.median == median


def test_error__of_a_map_too_small_to_tell_is_unknown() -> None:
    assert expected_error([], 0.1) is None


def test_shelf__follows_map_and_collection(tmp_path: Path) -> None:
    maps, held = MapStore(tmp_path, kept=3), [_collection()]

    class Fixed:
        def for_interactive(self) -> CollectionLatents | None:
            return held[0]

    for number in (1, 2):
        maps.add(case_map(PLACES, version(3, number=number)))
    map_cache = MapCache(maps, Fixed(), None)  # type: ignore[arg-type]
    first = map_cache.placement_map(map_id(1))
    assert map_cache.placement_map(map_id(1)) is first
    assert map_cache.placement_map(map_id(2)).version.id == map_id(2)
    held[0] = _collection("ab", revision="2")
    assert map_cache.placement_map(map_id(2)).knn.collection.cases == ["a", "b"]
    assert map_cache.collection("next-1") is None
    held[0] = _collection(bundle="next-1")
    with pytest.raises(Conflict, match=r"tiny-1.*next-1.*fit the map first"):
        map_cache.placement_map(map_id(2))
