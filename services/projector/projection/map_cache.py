"""In-process cache of the interactive worker: the map used last with its cases' latents, or the latents alone."""

from collections.abc import Sequence

from casekin.contracts.maps import CaseMap, MapId
from casekin.errors import Conflict
from services.projector.latents.collection_latents import (
    INTERACTIVE_CASES,
    CollectionLatents,
    CollectionReader,
    stable_sample,
)
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.projection.map_store import MapStore
from services.projector.projection.placement import PlacementMap, build_placement_map


class MapCache:
    """Builds a placement map or k-NN when the map, the collection or its revision has changed."""

    def __init__(self, maps: MapStore, reader: CollectionReader, manifests: ManifestCache) -> None:
        self._maps, self._reader, self.manifests = maps, reader, manifests
        self._placement_map: tuple[MapId, CollectionLatents, PlacementMap] | None = None
        self._sample: tuple[CollectionLatents, CollectionLatents] | None = None
        self._knn: WeightedKnn | None = None

    def placement_map(self, map_id: MapId) -> PlacementMap:
        """A kept map with the latents of its cases; raises `NotFound`, or `Conflict` where it is of another bundle."""
        collection = self._reader.for_interactive()
        if collection is None:
            raise Conflict("the collection has not been read since it changed bundle; fit the map again")
        version = self._maps.version(map_id)
        if version.bundle_version != collection.bundle_version:
            raise Conflict(
                f"the map is of bundle {version.bundle_version}, the collection of {collection.bundle_version}; "
                "fit the map first"
            )
        cached = self._placement_map
        if cached is None or cached[0] != map_id or cached[1] is not collection:
            fitted = CaseMap.model_validate_json(self._maps.read(map_id))
            self._placement_map = cached = (map_id, collection, build_placement_map(fitted, collection))
        return cached[2]

    def forget(self) -> None:
        """Drop everything."""
        self._placement_map = self._sample = self._knn = None

    def collection(self, bundle_version: str) -> CollectionLatents | None:
        """The collection, if it has cases, can be read, and is of this bundle."""
        collection = self._reader.for_interactive()
        if collection is None or collection.bundle_version != bundle_version or not collection.cases:
            return None
        return collection

    def knn(
        self, collection: CollectionLatents, weights: Sequence[float], placement_map: PlacementMap | None = None
    ) -> WeightedKnn:
        """The collection, or a sample of a very large one, under `weights`; that of the map where it has the same."""
        searched = self._searched(collection)
        if placement_map is not None:
            of_map = placement_map.knn
            if of_map.weights == list(weights) and len(of_map.collection.cases) >= len(searched.cases):
                return of_map
        cached = self._knn
        if cached is None or cached.collection is not searched or cached.weights != list(weights):
            self._knn = cached = WeightedKnn(searched, list(weights))
        return cached

    def _searched(self, collection: CollectionLatents) -> CollectionLatents:
        """At most `INTERACTIVE_CASES` of the collection."""
        if len(collection.cases) <= INTERACTIVE_CASES:
            return collection
        cached = self._sample
        if cached is None or cached[0] is not collection:
            part = collection.part(stable_sample(collection.cases, INTERACTIVE_CASES))
            self._sample = cached = (collection, part)
        return cached[1]
