"""The port of a kind of job: one `JobHandler` holds all that is particular to its kind.

To add a kind, write a handler in a file of this folder and add it to `registry.HANDLERS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import Contract
from services.projector.jobs.kinds import JobKind, Queue
from services.projector.jobs.progress import Report
from services.projector.latents.collection_latents import CollectionReader
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.map_cache import MapCache
from services.projector.projection.map_store import MapStore
from services.projector.settings import ProjectorSettings
from services.projector.storage.job_results import JobResults

P = TypeVar("P", bound=Contract)
R = TypeVar("R", bound=Contract)
T = TypeVar("T")


@dataclass(frozen=True)
class SubmissionTools:
    """What the API checks a payload with."""

    search: SearchClient
    manifests: ManifestCache
    maps: MapStore
    results: JobResults
    next_encoder_url: str | None


@dataclass(frozen=True)
class WorkerTools:
    """What the handlers of one worker process share."""

    settings: ProjectorSettings
    search: SearchClient
    write_search: SearchClient
    """With a longer timeout."""
    encoder: EncoderClient
    reader: CollectionReader
    maps: MapStore
    map_cache: MapCache
    pace: Callable[[], None]
    """Waits before each image of bulk work, so that clinicians do not feel it."""


@dataclass(frozen=True)
class RunningJob(Generic[P]):
    """One job while a worker runs it."""

    id: str
    payload: P
    report: Report
    results: JobResults

    @property
    def file_link(self) -> str:
        """Path of the file that `attach` stores, on this service."""
        return f"/v1/jobs/{self.id}/file"

    def attach(self, suffix: str, write: Callable[[BinaryIO], T]) -> tuple[T, int]:
        """Store a file beside the result; returns what `write` returns and the size in bytes. Raises `StorageFull`."""
        return self.results.attach(self.id, suffix, write)


class JobHandler(ABC, Generic[P, R]):
    """Payload, queue, limits, checks, work and result of one kind of job."""

    payload: type[P]
    """Its field `kind` has one value: the name of the kind and of the Celery task."""
    result: type[R]
    queue: Queue
    max_retries: int = 3
    reuses_result: bool = True
    """Whether a stored result answers the same payload again; otherwise `run` looks for itself what is left to do."""
    summarises_work: bool = False
    """Whether the result counts what was done and is not computed from the collection's cases: a deletion then removes
    it only if it names a deleted case, and does not make a job that is running begin again."""

    @property
    def name(self) -> str:
        """The name of the kind."""
        return str(self.payload.model_fields["kind"].default)

    @abstractmethod
    def limit_s(self, settings: ProjectorSettings) -> int:
        """Soft time limit in seconds."""

    @abstractmethod
    def prepare(self, payload: P, tools: SubmissionTools) -> tuple[P, list[str]]:
        """Check a payload on submission and fill in what it leaves open; raises what makes the job impossible.

        Returns the complete payload, and what else the result depends on: both together name the job.
        """

    @abstractmethod
    def run(self, job: RunningJob[P], tools: WorkerTools) -> R:
        """Do the work; raises a `CasekinError` where that is impossible, `Cancelled` through ``job.report``."""

    def reuse(self, job_id: str, tools: SubmissionTools) -> bool:
        """Whether a stored result answers the same payload again, made ready to be fetched."""
        return self.reuses_result and tools.results.has(job_id)

    def discard(self, job_id: str, tools: WorkerTools) -> None:
        """Remove what `run` stored beside the result: a case was deleted meanwhile, and it runs again."""
        del job_id, tools

    def kind(self, settings: ProjectorSettings) -> JobKind:
        """What the job store and the broker need to know."""
        return JobKind(self.name, self.queue, self.limit_s(settings), self.max_retries)


AnyHandler = JobHandler[Any, Any]
