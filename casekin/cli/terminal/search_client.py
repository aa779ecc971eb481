"""Reaches the search service from a command: its options, and a client whose errors end the command in a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.ingest import ATTEMPTS, WHERE, where
from casekin.cli.terminal.errors import stop
from casekin.clients import SearchClient
from casekin.errors import CasekinError

SearchUrl = Annotated[str | None, typer.Option(envvar="CASEKIN_SEARCH_URL", help=WHERE)]
Key = Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)]


@contextmanager
def searching(
    url: str | None, api_key: str | None, data: Path, *, attempts: int = ATTEMPTS, timeout_s: float = 120
) -> Iterator[SearchClient]:
    """A client of search at `url`; without one, at the services that run on the folder `data`."""
    try:
        with SearchClient(
            url or where("search", data), api_key=api_key, attempts=attempts, timeout_s=timeout_s
        ) as search:
            yield search
    except CasekinError as error:
        raise stop(error) from error
