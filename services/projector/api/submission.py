"""Validate a job, derive its content-addressed id, enqueue it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from casekin.contracts.base import Contract
from casekin.contracts.projector import Job
from services.projector.jobs.broker import Publisher
from services.projector.jobs.store import JobStore
from services.projector.tasks.handler import AnyHandler, SubmissionTools

_RECIPE = 3
"""Part of every job's id: raise it when the same payload must be computed again because the computation changed."""


@dataclass(frozen=True)
class JobSubmission:
    """What submitting a job needs."""

    store: JobStore
    publisher: Publisher
    handlers: Mapping[type[Contract], AnyHandler]
    """By the type of their payload."""
    tools: SubmissionTools

    def submit(self, payload: Contract) -> tuple[Job, bool]:
        """The job of this payload, and whether it is new; raises what makes it impossible."""
        handler = self.handlers[type(payload)]
        complete, context = handler.prepare(payload, self.tools)
        job_id = content_id(complete, context)
        there = handler.reuse(job_id, self.tools)
        job, new = self.store.submit(job_id, handler.name, complete.model_dump_json(), result_there=there)
        if new:
            self.publisher.publish(job.id, job.kind)
        return job, new


def content_id(payload: Contract, context: list[str]) -> str:
    """The job's id: equal for equal payloads in an equal context."""
    content = json.dumps([_RECIPE, payload.model_dump(mode="json"), context], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
