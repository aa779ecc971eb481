"""`casekin delete`: take a case or a lesion out for good."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.failure import stop
from casekin.cli.ingest import WHERE, where
from casekin.cli.up import Data
from casekin.clients import SearchClient
from casekin.contracts.search import Deletion
from casekin.errors import CasekinError

OLD_MAP = "Draw the map anew: the one that is shown was drawn before."


def delete(
    case: Annotated[str | None, typer.Option(help="Id of the case.")] = None,
    lesion: Annotated[str | None, typer.Option(help="Id of the lesion: all its cases go.")] = None,
    search_url: Annotated[str | None, typer.Option(envvar="CASEKIN_SEARCH_URL", help=WHERE)] = None,
    api_key: Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)] = None,
    data: Data = Path("data"),
) -> None:
    """Delete a case or a lesion from the index, with its images and thumbnails; there is no way back."""
    if (case is None) == (lesion is None):
        raise typer.BadParameter("give --case or --lesion")
    try:
        with SearchClient(search_url or where("search", data), api_key=api_key) as search:
            done = search.delete_case(case) if case is not None else search.delete_lesion(lesion or "")
    except CasekinError as error:
        raise stop(error) from error
    typer.echo(_told(done))
    if done.left:
        raise typer.Exit(1)


def _told(done: Deletion) -> str:
    gone = f"{', '.join(done.cases) or 'no case'}: out of the index, {done.files} files removed"
    return f"{gone}, {done.left} left. {OLD_MAP}"
