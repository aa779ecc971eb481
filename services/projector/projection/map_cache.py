"""In-process cache of the interactive worker: the map used last with its cases' latents, or the latents alone."""

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
        self._knn: tuple[CollectionLatents, WeightedKnn] | None = None

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
        self._placement_map = self._knn = None

    def collection(self, bundle_version: str) -> CollectionLatents | None:
        """The collection, if it has cases, can be read, and is of this bundle."""
        collection = self._reader.for_interactive()
        if collection is None or collection.bundle_version != bundle_version or not collection.cases:
            return None
        return collection

    def knn(self, collection: CollectionLatents) -> WeightedKnn:
        """The collection under the clinical weights, for when there is no map."""
        cached = self._knn
        if cached is None or cached[0] is not collection:
            weights = self.manifests.of(collection.bundle_version).clinical_weights
            sample = collection.part(stable_sample(collection.cases, INTERACTIVE_CASES))
            self._knn = cached = (collection, WeightedKnn(sample, weights))
        return cached[1]
