"""``map.fit``: fit the map of the whole collection and make it the current one."""

from casekin.contracts.maps import MapFit, MapVersion
from casekin.errors import Conflict
from services.projector.projection.fit import check_size, fit_map
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools


class MapFitHandler(JobHandler[MapFit, MapVersion]):
    """A kept map outlives the record of its job: submitted again, it becomes the current one without work."""

    payload, result, queue = MapFit, MapVersion, "maps"
    reuses_result = False

    def limit_s(self, settings: ProjectorSettings) -> int:
        """A fit of 100,000 cases takes minutes."""
        return settings.fit_limit_s

    def prepare(self, payload: MapFit, tools: SubmissionTools) -> tuple[MapFit, list[str]]:
        """Name the map to start from; raises `Conflict`, `BadInput` or `NotFound`."""
        collection = tools.search.collection()
        check_size(collection.cases)
        if payload.preset == "clinical" and (version := tools.manifests.current().version) != collection.bundle_version:
            raise Conflict(
                f"the collection is of bundle {collection.bundle_version}, the encoder runs {version}; "
                "re-index the collection, then fit the map"
            )
        start = payload.start
        if start == "latest":
            found = tools.maps.latest(collection.bundle_version, payload.preset, other_than=collection.revision)
            start = found.id if found else "pca"
        elif start != "pca":
            start = tools.maps.version(start).id
        return payload.model_copy(update={"start": start}), [collection.bundle_version, collection.revision]

    def reuse(self, job_id: str, tools: SubmissionTools) -> bool:
        """Whether the map is kept; it then becomes the current one, and its result is stored anew."""
        if kept := tools.maps.has(job_id):
            tools.results.write(job_id, tools.maps.make_current(job_id))
        return kept

    def run(self, job: RunningJob[MapFit], tools: WorkerTools) -> MapVersion:
        """Fit unless a worker that died late has left the map; raises what `fit_map` raises."""
        if not tools.maps.has(job.id):
            tools.maps.add(fit_map(job.id, job.payload, tools.reader, tools.maps, tools.encoder, job.report))
        return tools.maps.make_current(job.id)

    def discard(self, job_id: str, tools: WorkerTools) -> None:
        """Remove the map."""
        tools.maps.remove(job_id)
