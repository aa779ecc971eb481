"""A client of search for commands: its errors end the command with one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casekin.cli.options import ATTEMPTS, service_url
from casekin.cli.terminal.errors import stop
from casekin.clients import SearchClient
from casekin.errors import CasekinError


@contextmanager
def searching(
    url: str | None, api_key: str | None, data: Path, *, attempts: int = ATTEMPTS, timeout_s: float = 120
) -> Iterator[SearchClient]:
    """A client of search at `url`; without one, of the services that run on the folder `data`."""
    try:
        with SearchClient(
            url or service_url("search", data), api_key=api_key, attempts=attempts, timeout_s=timeout_s
        ) as search:
            yield search
    except CasekinError as error:
        raise stop(error) from error
