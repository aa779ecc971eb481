"""Follows one job on the terminal."""

from typing import TypeVar

from casekin.cli.terminal.progress import progress
from casekin.clients import ProjectorClient
from casekin.contracts.base import Contract
from casekin.contracts.projector import Job

R = TypeVar("R", bound=Contract)


def follow(projector: ProjectorClient, job: Job, label: str, kind: type[R]) -> R:
    """Show the progress of a job until it ends; returns its result, or raises the error that it failed with."""
    with progress(f"{label}, percent", 100) as meter:
        for seen in projector.follow(job):
            job = seen
            meter(int(100 * job.progress.fraction))
    return projector.wait(job, kind, timeout_s=30)
