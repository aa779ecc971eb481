"""`casekin delete`: delete a case or a lesion for good."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ApiKey, Data, SearchUrl
from casekin.cli.terminal.search_client import searching
from casekin.contracts.search import Deletion

OLD_MAP = "Draw the map anew: the one that is shown was drawn before."


def delete(
    case: Annotated[str | None, typer.Option(help="Id of the case.")] = None,
    lesion: Annotated[str | None, typer.Option(help="Id of the lesion: all its cases go.")] = None,
    search_url: SearchUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Delete a case or a lesion from the index, with its images and thumbnails; there is no way back."""
    if (case is None) == (lesion is None):
        raise typer.BadParameter("give --case or --lesion")
    with searching(search_url, api_key, data) as search:
        done = search.delete_case(case) if case is not None else search.delete_lesion(lesion or "")
    typer.echo(_summary(done))
    if done.left:
        raise typer.Exit(1)


def _summary(done: Deletion) -> str:
    gone = f"{', '.join(done.cases) or 'no case'}: out of the index, {done.files} files removed"
    return f"{gone}, {done.left} left. {OLD_MAP}"
