"""`casekin export`: the collection as a table."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.bulk import WHERE
from casekin.cli.failure import stop
from casekin.cli.following import followed
from casekin.cli.ingest import ATTEMPTS, where
from casekin.cli.up import Data
from casekin.clients import ProjectorClient
from casekin.contracts.export import Export, ExportResult
from casekin.contracts.projector import Job
from casekin.errors import BadInput, CasekinError


def export(
    file: Annotated[Path, typer.Argument(help="The CSV to write; it must not exist yet.")],
    projector_url: Annotated[str | None, typer.Option(envvar="CASEKIN_PROJECTOR_URL", help=WHERE)] = None,
    api_key: Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)] = None,
    data: Data = Path("data"),
) -> None:
    """Write all cases with metadata, place on the map and latent into a CSV."""
    try:
        with ProjectorClient(
            projector_url or where("projector", data), api_key=api_key, attempts=ATTEMPTS
        ) as projector:
            job = projector.submit(Export())
            result = followed(projector, job, "Table", ExportResult)
            _save(projector, job, file)
    except CasekinError as error:
        raise stop(error) from error
    typer.echo(f"{result.cases} cases in {file}")


def _save(projector: ProjectorClient, job: Job, file: Path) -> None:
    """Raises `BadInput` where `file` is there or cannot be written; leaves nothing then."""
    try:
        stream = file.open("xb")
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}; name another file") from error
    try:
        with stream:
            projector.save_file(job.id, stream)
    except (CasekinError, OSError):
        file.unlink()
        raise
