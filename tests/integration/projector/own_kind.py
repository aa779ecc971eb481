"""A kind of job that the product does not have: count the cases of a diagnosis. ``python -m`` runs a worker of it."""

import sys
from typing import Literal

from pydantic import Field

from casekin.contracts.base import Code, Contract
from casekin.errors import BadInput
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.registry import HANDLERS


class CountCases(Contract):
    """How many cases have a diagnosis."""

    kind: Literal["count"] = "count"
    diagnosis: Code
    limit: int = Field(default=1000, ge=1)


class CaseCount(Contract):
    """Result of ``count``."""

    cases: int
    size: int


class CountHandler(JobHandler[CountCases, CaseCount]):
    payload, result, queue = CountCases, CaseCount, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        return settings.click_limit_s

    def prepare(self, payload: CountCases, tools: SubmissionTools) -> tuple[CountCases, list[str]]:
        collection = tools.search.collection()
        if collection.cases > payload.limit:
            raise BadInput(f"the collection has {collection.cases} cases, the limit is {payload.limit}")
        return payload, [collection.revision]

    def run(self, job: RunningJob[CountCases], tools: WorkerTools) -> CaseCount:
        found = tools.reader.current().diagnoses.count(job.payload.diagnosis)
        _, size = job.attach(".csv", lambda stream: stream.write(f"{job.payload.diagnosis},{found}\n".encode()))
        return CaseCount(cases=found, size=size)


if __name__ == "__main__":
    from services.projector.tasks.worker_process import run_worker

    sys.exit(run_worker(ProjectorSettings(), ["interactive"], (*HANDLERS, CountHandler())))
