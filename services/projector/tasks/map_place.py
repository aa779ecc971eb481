"""``map.place``: place a query on a map."""

from casekin.contracts.maps import MapPlace, Placement
from casekin.errors import Conflict, WrongLatent
from services.projector.projection.placement import place_on
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools


class MapPlaceHandler(JobHandler[MapPlace, Placement]):
    """A click: milliseconds."""

    payload, result, queue = MapPlace, Placement, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a click."""
        return settings.click_limit_s

    def prepare(self, payload: MapPlace, tools: SubmissionTools) -> tuple[MapPlace, list[str]]:
        """Name the map; raises `WrongLatent`, `Conflict` where no map fits the collection, or `NotFound`."""
        collection = tools.search.collection()
        if payload.bundle_version != collection.bundle_version:
            raise WrongLatent(
                f"the latent is of bundle {payload.bundle_version}, the collection of {collection.bundle_version}; "
                "encode the image again"
            )
        version = tools.maps.version(payload.map_id) if payload.map_id else tools.maps.current()
        if version is None:
            raise Conflict("there is no map to place on; fit the map first")
        if version.bundle_version != collection.bundle_version:
            raise Conflict(
                f"the map is of bundle {version.bundle_version}, the collection of {collection.bundle_version}; "
                "fit the map first"
            )
        if len(payload.latent) != len(version.weights):
            raise WrongLatent(
                f"the latent has {len(payload.latent)} numbers; bundle {version.bundle_version} has "
                f"{len(version.weights)} dimensions"
            )
        if not collection.cases:
            raise Conflict("the collection is empty, so no case of the map is in it; ingest cases, then fit the map")
        return payload.model_copy(update={"map_id": version.id}), [collection.revision]

    def run(self, job: RunningJob[MapPlace], tools: WorkerTools) -> Placement:
        """Raises `NotFound` or `Conflict` where map or collection have changed since."""
        assert job.payload.map_id is not None, "prepare() names the map"
        return place_on(tools.map_cache.placement_map(job.payload.map_id), job.payload)
