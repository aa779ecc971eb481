"""Clients of the three services, with short-lived caches of what every visitor needs."""

from dataclasses import dataclass

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.collection import Collection
from casekin.contracts.encoder import DecodeRequest
from casekin.contracts.maps import CaseMap
from casekin.errors import CasekinError, NotFound
from casekin.ttl_cache import TtlCache

ENDS = ("0.01", "0.99")
"""Quantiles of a dimension between which its ends are drawn."""


@dataclass(frozen=True)
class Services:
    """The clients, shared by all threads."""

    encoder: EncoderClient
    search: SearchClient
    projector: ProjectorClient

    def close(self) -> None:
        """Close all connections."""
        for client in (self.encoder, self.search, self.projector):
            client.close()

    def readiness(self) -> dict[str, bool]:
        """By name of the service, whether it is ready."""
        return {client.service: client.is_ready() for client in (self.encoder, self.search, self.projector)}


class PlacedMap:
    """The current map with coordinates by case id."""

    def __init__(self, document: CaseMap) -> None:
        self.document = document
        self._index = {case_id: row for row, case_id in enumerate(document.cases)}
        self.width = max(max(axis) - min(axis) for axis in (document.x, document.y))
        """Longer side of the box around all cases: errors are shares of it."""

    def position(self, case_id: str) -> tuple[float, float] | None:
        """Coordinates of a case; none where it was added after the map was fitted."""
        row = self._index.get(case_id)
        return None if row is None else (self.document.x[row], self.document.y[row])


class Catalog:
    """Collection, model, map and readiness, each cached for some seconds."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._collection = TtlCache(services.search.collection, fresh_s=3.0)
        self._manifest = TtlCache(lambda: services.encoder.model().manifest, fresh_s=30.0, stale_s=60.0)
        self._readiness = TtlCache(services.readiness, fresh_s=3.0)
        self._map = TtlCache(self._current_map, fresh_s=10.0, stale_s=20.0)
        self._map_of: tuple[str, str] | None = None
        self._names = TtlCache(services.projector.names, fresh_s=5.0, stale_s=5.0)
        self._ends = TtlCache(self._decoded_ends, fresh_s=3600.0)
        self._ends_of: str | None = None

    def names(self) -> list[str]:
        """Names of the dimensions; the bundle's own where the projector does not answer or has another bundle."""
        manifest = self.manifest()
        try:
            named = self._names.get()
        except CasekinError:
            return [dimension.name for dimension in manifest.dimensions]
        same = named.bundle_version == manifest.version
        return named.names if same else [dimension.name for dimension in manifest.dimensions]

    def ends(self) -> list[tuple[str, str]]:
        """By dimension, the average image with it low and with it high, as data URIs."""
        version = self.manifest().version
        if version != self._ends_of:
            self._ends.forget()
            self._ends_of = version
        return self._ends.get()

    def _decoded_ends(self) -> list[tuple[str, str]]:
        manifest = self.manifest()
        size = len(manifest.dimensions)
        latents = [
            [dimension.quantiles[end] if index == dimension.index else 0.0 for index in range(size)]
            for dimension in manifest.dimensions
            for end in ENDS
        ]
        images: list[str] = []
        for start in range(0, len(latents), 1024):  # as many as the encoder takes at once
            request = DecodeRequest(bundle_version=manifest.version, latents=latents[start : start + 1024])
            images += self.services.encoder.decode(request).images
        return list(zip(images[::2], images[1::2], strict=True))

    def forget_names(self) -> None:
        """Load the names anew: one was changed."""
        self._names.forget()

    def collection(self) -> Collection:
        """Description and size of the collection."""
        return self._collection.get()

    def manifest(self) -> BundleManifest:
        """The model in use."""
        return self._manifest.get()

    def readiness(self) -> dict[str, bool]:
        """By name of the service, whether it is ready."""
        return self._readiness.get()

    def map(self) -> PlacedMap | None:
        """The current map, loaded anew when the collection's revision has changed; none where there is none."""
        collection = self.collection()
        if (key := (collection.bundle_version, collection.revision)) != self._map_of:
            self._map.forget()
            self._map_of = key
        return self._map.get()

    def forget_map(self) -> None:
        """Load the map anew: another one is current."""
        self._map.forget()

    def _current_map(self) -> PlacedMap | None:
        try:
            return PlacedMap(self.services.projector.current_map())
        except NotFound:
            return None
