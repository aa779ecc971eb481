"""The kept maps: ``/v1/maps``."""

from fastapi import APIRouter, Response

from casekin.contracts.maps import CaseMap, CurrentMap, MapId, MapVersion, MapVersions
from casekin.errors import NotFound
from services.projector.projection.map_store import MapStore


def map_routes(maps: MapStore) -> APIRouter:
    """List and read kept maps, and choose the current one."""
    router = APIRouter(tags=["map"])

    @router.get("/maps")
    def versions() -> MapVersions:
        """The kept maps with their quality, newest first, and which is current."""
        return maps.versions()

    @router.get("/maps/current", response_model=CaseMap)
    def current_map() -> Response:
        """The current map."""
        current = maps.current_id()
        if current is None:
            raise NotFound("no map has been fitted yet; submit a job of kind map.fit")
        return Response(maps.read(current), media_type="application/json")

    @router.put("/maps/current")
    def make_current(chosen: CurrentMap) -> MapVersion:
        """Make a kept map the current one again."""
        return maps.make_current(chosen.id)

    @router.get("/maps/{map_id}", response_model=CaseMap)
    def kept_map(map_id: MapId) -> Response:
        """One kept map."""
        return Response(maps.read(map_id), media_type="application/json")

    return router
