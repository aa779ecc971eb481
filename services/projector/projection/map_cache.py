"""What a worker for clicks keeps in memory: the map used last with its cases' latents, or the cases alone."""

from casekin.contracts.maps import CaseMap, MapId
from casekin.errors import Conflict
from services.projector.latents.collection_latents import CLICK_CASES, Galleries, Gallery, stable_sample
from services.projector.latents.manifest_cache import Models
from services.projector.latents.weighted_knn import Ground
from services.projector.projection.map_store import Archive
from services.projector.projection.placement import Atlas, make_atlas


class Shelf:
    """Makes atlas and ground anew when the map or the collection is another."""

    def __init__(self, archive: Archive, galleries: Galleries, models: Models) -> None:
        self._archive, self._galleries, self.models = archive, galleries, models
        self._atlas: tuple[tuple[MapId, str], Atlas] | None = None
        self._ground: Ground | None = None

    def atlas(self, map_id: MapId) -> Atlas:
        """The atlas of a kept map; raises `NotFound`, or `Conflict` where it is of another bundle."""
        gallery = self._galleries.for_click()
        if gallery is None:
            raise Conflict("the collection has not been read since it changed bundle; fit the map again")
        version = self._archive.version(map_id)
        if version.bundle_version != gallery.bundle_version:
            raise Conflict(
                f"the map is of bundle {version.bundle_version}, the collection of {gallery.bundle_version}; "
                "fit the map first"
            )
        key = (map_id, gallery.revision)
        if self._atlas is None or self._atlas[0] != key:
            self._atlas = (key, make_atlas(CaseMap.model_validate_json(self._archive.read(map_id)), gallery))
        return self._atlas[1]

    def gallery(self, bundle_version: str) -> Gallery | None:
        """The collection, if it has cases, can be read, and is of this bundle."""
        gallery = self._galleries.for_click()
        if gallery is None or gallery.bundle_version != bundle_version or not gallery.cases:
            return None
        return gallery

    def ground(self, gallery: Gallery) -> Ground:
        """The collection under the clinical weights, for when there is no map."""
        held = self._ground
        if held is None or held.gallery.revision != gallery.revision:
            weights = self.models.of(gallery.bundle_version).clinical_weights
            held = Ground(gallery.part(stable_sample(gallery.cases, CLICK_CASES)), weights)
            self._ground = held
        return held
