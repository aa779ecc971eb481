"""Takes requests for work: checks them against the collection and the model, names them by content, queues them."""

import hashlib
import json
from dataclasses import dataclass

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.projector import CaseMap, Job, JobState, MapFit, MapPlace, Payload, Rollout
from casekin.errors import Conflict, WrongLatent
from services.projector.artefacts import Artefacts
from services.projector.celery_app import Publisher
from services.projector.jobs import JobStore
from services.projector.mapfit import check_size
from services.projector.rollouts import check_rollout

_RECIPE = 1
"""Part of every job's id: raise it when the same payload must be computed anew because the computation changed."""


@dataclass
class Intake:
    """What submitting a job needs."""

    store: JobStore
    artefacts: Artefacts
    publisher: Publisher
    search: SearchClient
    encoder: EncoderClient
    _manifest: BundleManifest | None = None

    def submit(self, payload: Payload) -> tuple[Job, bool]:
        """The job of this payload, and whether it is new; raises what makes it impossible."""
        job_id = name(payload, self._context(payload))
        there = self.artefacts.has(job_id)
        job, new = self.store.submit(job_id, payload.kind, payload.model_dump_json(), result_there=there)
        if new:
            self.publisher.publish(job.id, job.kind)
        elif isinstance(payload, MapFit) and job.state is JobState.SUCCEEDED:
            self._make_current(job.id)
        return job, new

    def _context(self, payload: Payload) -> list[str]:
        """What the result depends on beside the payload."""
        match payload:
            case MapFit():
                collection = self.search.collection()
                check_size(collection.cases)
                return [collection.bundle_version, collection.revision]
            case MapPlace():
                return self._context_of_placing(payload)
            case Rollout():
                check_rollout(payload, self._manifest_for(payload.bundle_version))
                return [payload.bundle_version]

    def _context_of_placing(self, payload: MapPlace) -> list[str]:
        collection = self.search.collection()
        if payload.bundle_version != collection.bundle_version:
            raise WrongLatent(
                f"the latent is of bundle {payload.bundle_version}, the collection of {collection.bundle_version}; "
                "encode the image again"
            )
        current = self.artefacts.current()
        if current is None:
            raise Conflict("there is no map to place on; fit the map first")
        if current.bundle_version != collection.bundle_version:
            raise Conflict(
                f"the map is of bundle {current.bundle_version}, the collection of {collection.bundle_version}; "
                "fit the map first"
            )
        return [collection.bundle_version, collection.revision, current.id]

    def _manifest_for(self, version: str) -> BundleManifest:
        """The encoder's manifest, asked for again when a payload names another version."""
        if self._manifest is None or self._manifest.version != version:
            self._manifest = self.encoder.model().manifest
        return self._manifest

    def _make_current(self, job_id: str) -> None:
        current = self.artefacts.current()
        if current is None or current.id != job_id:
            self.artefacts.set_current(CaseMap.model_validate_json(self.artefacts.read(job_id)))


def name(payload: Payload, context: list[str]) -> str:
    """The job's id: equal for equal payloads in an equal context."""
    content = json.dumps([_RECIPE, payload.model_dump(mode="json"), context], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
