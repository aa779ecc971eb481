"""Which cases the interactive worker searches, under which weights, and what it keeps of that."""

from typing import cast

import numpy as np

from services.projector.latents.collection_latents import CollectionLatents, CollectionReader
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.map_cache import MapCache
from services.projector.projection.map_store import MapStore
from services.projector.projection.placement import PlacementMap, build_placement_map
from tests.laid import case_map, version

LATENTS = np.array([[0, 0], [1, 0], [0, 2], [9, 9]], np.float32)
COLLECTION = CollectionLatents("tiny-1", "1", ["a", "b", "c", "d"], ["nv"] * 4, [None] * 4, LATENTS)


def _cache() -> MapCache:
    return MapCache(cast("MapStore", None), cast("CollectionReader", None), cast("ManifestCache", None))


def _map_of(cases: str) -> PlacementMap:
    places = dict.fromkeys(cases, (0.0, 0.0))
    return build_placement_map(case_map(places, version(len(cases), weights=[1.0, 4.0])), COLLECTION)


def test_knn__of_the_map_serves_where_it_has_all_cases_and_the_same_weights() -> None:
    whole, older = _map_of("abcd"), _map_of("abc")
    assert _cache().knn(COLLECTION, [1.0, 4.0], whole) is whole.knn
    for weights, placed in (([1.0, 1.0], whole), ([1.0, 4.0], older), ([1.0, 4.0], None)):
        knn = _cache().knn(COLLECTION, weights, placed)
        assert (knn.collection.cases, knn.weights) == (COLLECTION.cases, weights)


def test_knn__is_kept_until_weights_or_collection_change() -> None:
    cache = _cache()
    first = cache.knn(COLLECTION, [1.0, 1.0])
    assert cache.knn(COLLECTION, [1.0, 1.0]) is first
    second = cache.knn(COLLECTION, [2.0, 1.0])
    assert second.nearest([[0, 0]], 2)[1].tolist() == [[0, np.float32(np.sqrt(2))]]
    changed = COLLECTION.part(np.arange(3))
    assert cache.knn(changed, [2.0, 1.0]).collection is changed


def test_knn__of_a_very_large_collection_searches_a_sample_that_stays(monkeypatch) -> None:
    monkeypatch.setattr("services.projector.projection.map_cache.INTERACTIVE_CASES", 2)
    cache = _cache()
    searched = cache.knn(COLLECTION, [1.0, 1.0]).collection
    assert len(searched.cases) == 2
    assert cache.knn(COLLECTION, [1.0, 9.0]).collection is searched
