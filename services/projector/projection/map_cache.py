"""What a worker for clicks keeps in memory: the map used last with its cases' latents, or the cases alone."""

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
    """Makes placement_map and knn anew when the map or the collection is another."""

    def __init__(self, maps: MapStore, reader: CollectionReader, manifests: ManifestCache) -> None:
        self._maps, self._reader, self.manifests = maps, reader, manifests
        self._placement_map: tuple[tuple[MapId, str], PlacementMap] | None = None
        self._knn: WeightedKnn | None = None

    def placement_map(self, map_id: MapId) -> PlacementMap:
        """The placement_map of a kept map; raises `NotFound`, or `Conflict` where it is of another bundle."""
        collection = self._reader.for_interactive()
        if collection is None:
            raise Conflict("the collection has not been read since it changed bundle; fit the map again")
        version = self._maps.version(map_id)
        if version.bundle_version != collection.bundle_version:
            raise Conflict(
                f"the map is of bundle {version.bundle_version}, the collection of {collection.bundle_version}; "
                "fit the map first"
            )
        key = (map_id, collection.revision)
        if self._placement_map is None or self._placement_map[0] != key:
            self._placement_map = (
                key,
                build_placement_map(CaseMap.model_validate_json(self._maps.read(map_id)), collection),
            )
        return self._placement_map[1]

    def collection(self, bundle_version: str) -> CollectionLatents | None:
        """The collection, if it has cases, can be read, and is of this bundle."""
        collection = self._reader.for_interactive()
        if collection is None or collection.bundle_version != bundle_version or not collection.cases:
            return None
        return collection

    def knn(self, collection: CollectionLatents) -> WeightedKnn:
        """The collection under the clinical weights, for when there is no map."""
        held = self._knn
        if held is None or held.collection.revision != collection.revision:
            weights = self.manifests.of(collection.bundle_version).clinical_weights
            held = WeightedKnn(collection.part(stable_sample(collection.cases, INTERACTIVE_CASES)), weights)
            self._knn = held
        return held
