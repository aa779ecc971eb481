"""`casekin up`: all services of this machine, until Ctrl-C."""

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import Data
from casekin.cli.terminal.errors import stop
from casekin.collections import location_of
from casekin.errors import CasekinError, StorageFull, Unavailable
from casekin.launcher.console import Terminal
from casekin.launcher.launch import launched
from casekin.launcher.plan import Options, make_plan
from casekin.launcher.ports import PAGE_PORT
from casekin.launcher.state import Running

Bundle = Annotated[Path, typer.Option(envvar="CASEKIN_BUNDLE", help="Folder of the trained model.")]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65_535, help=f"Of the page; left out, {PAGE_PORT} or a free one where that is taken."),
]
Host = Annotated[
    str, typer.Option(help="Address of the page; one that others reach needs CASEKIN_USERS (name:hash,...).")
]
Collections = Annotated[
    str | None,
    typer.Option(
        envvar="CASEKIN_COLLECTIONS",
        metavar="DIR|URL",
        help="Folder or s3:// URL of collections that `casekin bulk` may ingest; left out, there are none.",
    ),
]


def up(
    data: Data = Path("data"),
    bundle: Bundle = Path("bundles/default"),
    port: Port = None,
    host: Host = "127.0.0.1",
    collections: Collections = None,
) -> None:
    """Start encoder, search, projector, workers and page under one launcher, until Ctrl-C."""
    terminal = Terminal()
    found_at = _checked(collections) if collections else None
    options = Options(data=data.resolve(), bundle=bundle.resolve(), host=host, port=port, collections=found_at)
    with served(options, terminal) as found:
        welcome(terminal, found, port)
        signal.pause()


def _checked(collections: str) -> str:
    """The folder by its whole path, or the URL as it is: only the worker can look into a store."""
    place = location_of(collections)
    if not isinstance(place, Path):
        return collections
    if not place.is_dir():
        raise typer.BadParameter(f"{collections} is not a folder; name one, or the URL of a store")
    return str(place.resolve())


@contextmanager
def served(options: Options, terminal: Terminal) -> Iterator[Running]:
    """Run the services of `options` for the length of the block; errors end the command with one line."""
    terminal.say(f"casekin starts on {options.data}; logs are in {options.data / 'logs'}")
    try:
        with launched(options.data, lambda: make_plan(options), terminal) as found:
            yield found
    except KeyboardInterrupt:
        terminal.say("casekin has stopped")
    except CasekinError as error:
        raise stop(error) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise stop((StorageFull if full else Unavailable)(f"{options.data}: {error}")) from error


def welcome(terminal: Terminal, found: Running, port: int | None) -> None:
    """Print where the page is, and why it is not on its usual port where no `port` was given."""
    page = found.url("ui")
    if port is None and not page.endswith(f":{PAGE_PORT}"):
        terminal.say(f"port {PAGE_PORT} is taken by another program: --port chooses one")
    terminal.say(f"casekin is ready: {page}   (Ctrl-C stops all)")
