"""`casekin snapshot`: keep the collection as it is under a name, and go back to it."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ApiKey, Data, SearchUrl
from casekin.cli.terminal.search_client import searching
from casekin.clients import SearchClient
from casekin.contracts.snapshots import Snapshot

PATIENCE_S = 3600.0
"""For a million cases on a slow disk."""
Name = Annotated[str, typer.Argument(help="Letters a to z, digits, dots, dashes and underscores.")]

snapshot = typer.Typer(no_args_is_help=True, help="Keep the collection as it is under a name, and go back to it.")


@snapshot.command("list")
def list_snapshots(search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """List the snapshots."""
    with _patient(search_url, api_key, data) as search:
        _show(search.snapshots())


@snapshot.command()
def take(name: Name, search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """Keep cases, latents, images and vocabulary as they are now; writes wait meanwhile, searches do not."""
    with _patient(search_url, api_key, data) as search:
        _show([search.take_snapshot(name)])


@snapshot.command()
def restore(name: Name, search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """Make the collection what it was; what came since is gone, and what was deleted stays so."""
    with _patient(search_url, api_key, data) as search:
        _show([search.restore_snapshot(name)])


@snapshot.command()
def delete(name: Name, search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """Delete a snapshot for good."""
    with _patient(search_url, api_key, data) as search:
        _show(search.delete_snapshot(name))


def _patient(url: str | None, api_key: str | None, data: Path) -> AbstractContextManager[SearchClient]:
    return searching(url, api_key, data, attempts=1, timeout_s=PATIENCE_S)


def _show(snapshots: list[Snapshot]) -> None:
    width = max((len(one.name) for one in snapshots), default=0)
    for one in snapshots:
        taken = f"{one.created:%Y-%m-%d %H:%M} UTC"
        typer.echo(f"{one.name:{width}}  {taken}  {one.cases:>9,} cases of {one.bundle_version}")
    if not snapshots:
        typer.echo("there are no snapshots")
