"""`casekin delete`: delete a case or a lesion for good, in search and in the projector."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ATTEMPTS, ApiKey, Data, ProjectorUrl, SearchUrl, service_url
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.search_client import searching
from casekin.clients import ProjectorClient, SearchClient
from casekin.collections.text import printable
from casekin.contracts.base import CaseId
from casekin.contracts.cases import Deletion
from casekin.contracts.projector import PurgeResult
from casekin.errors import CasekinError, NotFound

_BATCH = 4096
"""Cases of one request to the projector."""
NOT_PURGED = (
    "the projector was not reached: its cached latents, maps and results may have the cases until it runs and finds "
    "their deletion by itself, a minute or two later; the same command with --case does it at once"
)
BACKUPS = "Backups have them until they are overwritten."


def delete(
    case: Annotated[str | None, typer.Option(help="Id of the case.")] = None,
    lesion: Annotated[str | None, typer.Option(help="Id of the lesion: all its cases are deleted.")] = None,
    search_url: SearchUrl = None,
    projector_url: ProjectorUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Delete a case or a lesion from indexes, snapshots, maps and results, with its images; there is no way back.

    Ends with status 1 where anything is left or was not reached.
    """
    if (case is None) == (lesion is None):
        raise typer.BadParameter("give --case or --lesion")
    with searching(search_url, api_key, data) as search:
        done = _deleted(search, case, lesion)
    ids = done.cases if done and done.cases else [case] if case is not None else []
    if done is not None:
        typer.echo(_summary(done))
        if done.left:
            typer.echo(
                "casekin: something is left, so nothing was purged in the projector; run the same command again",
                err=True,
            )
            raise typer.Exit(1)
    purged = _purged(projector_url, api_key, data, ids)
    typer.echo(
        f"projector: {purged.latents} files of latents, {purged.maps} maps and {purged.results} results rewritten "
        f"or deleted. {BACKUPS}"
    )
    if done is None and not (purged.latents or purged.maps or purged.results):
        typer.echo(f"casekin: no case {printable(str(case))} in the collection", err=True)
        raise typer.Exit(1)


def _deleted(search: SearchClient, case: CaseId | None, lesion: str | None) -> Deletion | None:
    """The answer of search; none where it has no such case, but the projector may: it was not reached the last time."""
    if case is None:
        return search.delete_lesion(lesion or "")
    try:
        return search.delete_case(case)
    except NotFound:
        return None


def _purged(url: str | None, api_key: str | None, data: Path, ids: list[CaseId]) -> PurgeResult:
    """Removed in all; ends the command where the projector is not reached."""
    try:
        with ProjectorClient(url or service_url("projector", data), api_key=api_key, attempts=ATTEMPTS) as projector:
            parts = [projector.purge(ids[begin : begin + _BATCH]) for begin in range(0, len(ids), _BATCH)]
    except CasekinError as error:
        raise stop(error, NOT_PURGED) from error
    return PurgeResult(
        cases=len(ids),
        latents=sum(part.latents for part in parts),
        maps=sum(part.maps for part in parts),
        results=sum(part.results for part in parts),
    )


def _summary(done: Deletion) -> str:
    names = ", ".join(map(printable, done.cases)) or "no case"
    return f"search: {names}: out of the index, {done.files} files removed, {done.left} left"
