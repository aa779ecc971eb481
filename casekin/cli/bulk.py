"""`casekin bulk`: have the workers ingest a collection, split over them."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from casekin.cli.options import ATTEMPTS, INTERRUPTED, ApiKey, Data, ProjectorUrl, service_url
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.progress import progress
from casekin.clients import ProjectorClient
from casekin.contracts.base import worded
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.projector import Job, JobState
from casekin.errors import BadInput, CasekinError
from casekin.ingest import Kind

POLL_S = 0.5


def bulk(
    folder: Annotated[str, typer.Argument(help="Its name below the folder of collections that the workers see.")],
    parts: Annotated[int, typer.Option(min=1, max=1000, help="How many jobs it is split into.")] = 8,
    projector_url: ProjectorUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Have the workers ingest a collection; the same command again follows what runs, and repeats what ended."""
    try:
        payloads = _payloads(folder, parts)
        with ProjectorClient(
            projector_url or service_url("projector", data), api_key=api_key, attempts=ATTEMPTS
        ) as projector:
            ended = _follow(projector, [projector.submit(payload) for payload in payloads])
            results = [projector.result(job.id, IngestResult) for job in ended if job.state is JobState.SUCCEEDED]
    except CasekinError as error:
        raise stop(error) from error
    except KeyboardInterrupt:
        typer.echo("casekin: the workers go on; the same command follows them again", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _sum_up(ended, results)


def _payloads(folder: str, parts: int) -> list[IngestPart]:
    """Raises `BadInput` where the name is none of a folder below the collections."""
    try:
        return [IngestPart(folder=folder, part=part, parts=parts) for part in range(1, parts + 1)]
    except ValidationError as error:
        reason = worded(error.errors()[0])
        raise BadInput(f"{folder!r} is no name of a folder below the collections of the workers: {reason}") from error


def _follow(projector: ProjectorClient, jobs: list[Job]) -> list[Job]:
    """The jobs once all have ended."""
    with progress("Parts, percent", 100) as meter:
        while not all(job.state.final for job in jobs):
            time.sleep(POLL_S)
            jobs = [job if job.state.final else projector.job(job.id) for job in jobs]
            shares = [1.0 if job.state.final else job.progress.fraction for job in jobs]
            meter(int(100 * sum(shares) / len(shares)))
    return jobs


def _sum_up(jobs: list[Job], results: list[IngestResult]) -> None:
    """Print how many ended how; exit with 1 where a part failed, or where nothing is in."""
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for result in results:
        counts.update({kind: getattr(result, kind) for kind in Kind})
        codes.update(result.skipped_by_code)
    typer.echo(", ".join(f"{counts[kind]} {kind}" for kind in Kind))
    for code, count in codes.most_common():
        typer.echo(f"  skipped, {code}: {count}")
    bad = [job for job in jobs if job.state is not JobState.SUCCEEDED]
    for job in bad:
        typer.echo(
            f"casekin: job {job.id} {job.state}: {job.problem.detail if job.problem else 'by request'}", err=True
        )
    nothing = counts.total() == counts[Kind.SKIPPED]
    if nothing:
        typer.echo("casekin: no image of it is in the collection", err=True)
    if bad or nothing:
        raise typer.Exit(1)
