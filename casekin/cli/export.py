"""`casekin export`: the collection as a table, and its images as files."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ATTEMPTS, ApiKey, Data, ProjectorUrl, SearchUrl, service_url
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.job_progress import follow
from casekin.cli.terminal.progress import progress
from casekin.clients import ProjectorClient, SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.export import Export, ExportResult
from casekin.contracts.paths import file_stem
from casekin.contracts.projector import Job
from casekin.errors import BadInput, CasekinError

SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}


def export(
    file: Annotated[Path, typer.Argument(help="The Parquet file to write; it must not exist yet.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder to write the images into too, each named by its case; made if missing.")
    ] = None,
    projector_url: ProjectorUrl = None,
    search_url: SearchUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Write all cases with metadata, place on the map and latent into a Parquet table, as other tools open it."""
    try:
        with ProjectorClient(
            projector_url or service_url("projector", data), api_key=api_key, attempts=ATTEMPTS
        ) as projector:
            job = projector.submit(Export())
            result = follow(projector, job, "Table", ExportResult)
            _save(projector, job, file)
        if images is not None:
            with SearchClient(search_url or service_url("search", data), api_key=api_key, attempts=ATTEMPTS) as search:
                _save_images(search, images)
    except CasekinError as error:
        raise stop(error) from error
    typer.echo(f"{result.cases} cases in {file}" + (f", their images in {images}" if images else ""))


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


def _save_images(search: SearchClient, folder: Path) -> None:
    """Raises `BadInput` where the folder cannot be written to."""
    ids: list[CaseId] = [case.id for page in search.latents() for case in page.cases]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with progress("Images", len(ids)) as meter:
            for done, case_id in enumerate(ids, 1):
                content, kind = search.image(case_id)
                (folder / f"{file_stem(case_id)}{SUFFIXES[kind]}").write_bytes(content)
                meter(done)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written to: {error.strerror}; name another folder") from error
