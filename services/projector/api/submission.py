"""Takes requests for work: checks them against the collection and the model, names them by content, queues them."""

import hashlib
import json
from dataclasses import dataclass

from casekin.clients import SearchClient
from casekin.contracts.export import Export
from casekin.contracts.ingest import IngestPart
from casekin.contracts.maps import MapFit, MapId, MapPlace
from casekin.contracts.projector import Job, JobState, Payload
from casekin.contracts.reindex import Reindex
from casekin.contracts.rollouts import Animation, JointRollout, Rollout, Trajectory
from casekin.errors import Conflict, WrongLatent
from services.projector.jobs.broker import Publisher
from services.projector.jobs.store import JobStore
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.fit import check_size
from services.projector.projection.map_store import MapStore
from services.projector.rollouts.rollouts import check_dimensions, check_joint, check_subject
from services.projector.storage.job_results import JobResults
from services.projector.tasks.reindex import encoder_for

_RECIPE = 2
"""Part of every job's id: raise it when the same payload must be computed anew because the computation changed."""

Way = Rollout | JointRollout | Animation | Trajectory


@dataclass
class JobSubmission:
    """What submitting a job needs."""

    store: JobStore
    results: JobResults
    maps: MapStore
    publisher: Publisher
    search: SearchClient
    manifests: ManifestCache
    next_encoder_url: str | None

    def submit(self, payload: Payload) -> tuple[Job, bool]:
        """The job of this payload, and whether it is new; raises what makes it impossible."""
        order, context = self._ordered(payload)
        job_id = name(order, context)
        there = self._is_there(order, job_id)
        job, new = self.store.submit(job_id, order.kind, order.model_dump_json(), result_there=there)
        if new:
            self.publisher.publish(job.id, job.kind)
        elif isinstance(order, MapFit) and job.state is JobState.SUCCEEDED:
            self.maps.make_current(job.id)
        return job, new

    def _ordered(self, payload: Payload) -> tuple[Payload, list[str]]:
        """The payload with what it left open, and what the result depends on beside it."""
        if isinstance(payload, MapFit):
            return self._ordered_fit(payload)
        if isinstance(payload, MapPlace):
            return self._ordered_placing(payload)
        if isinstance(payload, IngestPart):
            return payload, [self.search.collection().bundle_version]
        if isinstance(payload, Reindex):
            url = encoder_for(payload.encoder_url, self.next_encoder_url)
            return payload.model_copy(update={"encoder_url": url}), []
        if isinstance(payload, Export):
            return self._ordered_export(payload)
        return self._ordered_way(payload)

    def _ordered_fit(self, payload: MapFit) -> tuple[MapFit, list[str]]:
        collection = self.search.collection()
        check_size(collection.cases)
        start = payload.start
        if start == "latest":
            found = self.maps.latest(collection.bundle_version, payload.preset, other_than=collection.revision)
            start = found.id if found else "pca"
        elif start != "pca":
            start = self.maps.version(start).id
        return payload.model_copy(update={"start": start}), [collection.bundle_version, collection.revision]

    def _ordered_placing(self, payload: MapPlace) -> tuple[MapPlace, list[str]]:
        collection = self.search.collection()
        if payload.bundle_version != collection.bundle_version:
            raise WrongLatent(
                f"the latent is of bundle {payload.bundle_version}, the collection of {collection.bundle_version}; "
                "encode the image again"
            )
        version = self.maps.version(payload.map_id) if payload.map_id else self.maps.current()
        if version is None:
            raise Conflict("there is no map to place on; fit the map first")
        if version.bundle_version != collection.bundle_version:
            raise Conflict(
                f"the map is of bundle {version.bundle_version}, the collection of {collection.bundle_version}; "
                "fit the map first"
            )
        return payload.model_copy(update={"map_id": version.id}), [collection.revision]

    def _ordered_way(self, payload: Way) -> tuple[Way, list[str]]:
        manifest = self.manifests.of(payload.bundle_version)
        check_subject(payload, manifest)
        match payload:
            case Rollout():
                check_dimensions(payload.dimensions, manifest)
            case JointRollout():
                check_joint(payload, manifest)
            case Animation():
                check_dimensions([payload.dimension], manifest)
        here = self._map_of(payload.map_id, payload.bundle_version)
        return payload.model_copy(update={"map_id": here}), [self.search.collection().revision]

    def _ordered_export(self, payload: Export) -> tuple[Export, list[str]]:
        collection = self.search.collection()
        here = self._map_of(payload.map_id, collection.bundle_version)
        return payload.model_copy(update={"map_id": here}), [collection.bundle_version, collection.revision]

    def _map_of(self, asked: MapId | None, bundle_version: str) -> MapId | None:
        """The map that is meant, the current one if none is named; none where that is of another bundle."""
        version = self.maps.version(asked) if asked else self.maps.current()
        return version.id if version and version.bundle_version == bundle_version else None

    def _is_there(self, order: Payload, job_id: str) -> bool:
        """Whether the result stands: a kept map outlives the record of its job, bulk work has to look again."""
        if isinstance(order, IngestPart | Reindex):
            return False
        if not isinstance(order, MapFit):
            return self.results.has(job_id)
        if there := self.maps.has(job_id):
            self.results.write(job_id, self.maps.version(job_id))
        return there


def name(payload: Payload, context: list[str]) -> str:
    """The job's id: equal for equal payloads in an equal context."""
    content = json.dumps([_RECIPE, payload.model_dump(mode="json"), context], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
