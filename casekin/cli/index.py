"""`casekin index`: the indexes of the collection, one a bundle: list, re-index, switch, roll back, delete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ATTEMPTS, INTERRUPTED, ApiKey, Data, ProjectorUrl, SearchUrl, service_url
from casekin.cli.terminal.job_progress import follow
from casekin.cli.terminal.search_client import searching
from casekin.clients import ProjectorClient, SearchClient
from casekin.contracts.indexes import Index, Switch, Switched
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.errors import BadInput, Conflict
from casekin.launcher.console import Terminal
from casekin.launcher.launch import launched
from casekin.launcher.plan import make_encoder_plan

TURNS = 5
"""Re-indexings, each shorter than the one before, while cases are being added, until a switch is possible."""
BESIDE = "next"
"""Below the data folder: log and lock of the second encoder."""

Version = Annotated[str, typer.Argument(help="Version of the bundle, as `casekin index list` has it.")]
EvenIfBehind = Annotated[bool, typer.Option("--even-if-behind", help="Even where it lacks cases of the live one.")]

index = typer.Typer(no_args_is_help=True, help="Indexes of the collection, one a bundle: re-index, switch, roll back.")


@index.command("list")
def list_indexes(search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """List the indexes with their states: the live one first, then what a roll back would make live."""
    with searching(search_url, api_key, data) as search:
        _show(search.indexes())


@index.command()
def reindex(
    bundle: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="The new bundle: an encoder is started for it meanwhile."),
    ] = None,
    encoder_url: Annotated[
        str | None, typer.Option(help="An encoder that serves it already; else the workers' CASEKIN_NEXT_ENCODER_URL.")
    ] = None,
    switch: Annotated[bool, typer.Option("--switch", help="Make the new index live when nothing is missing.")] = False,
    search_url: SearchUrl = None,
    projector_url: ProjectorUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Encode the collection anew beside the index that is searched; the same command goes on where it stopped."""
    if bundle is not None and encoder_url is not None:
        raise typer.BadParameter("give --bundle or --encoder-url")
    with (
        searching(search_url, api_key, data) as search,
        ProjectorClient(
            projector_url or service_url("projector", data), api_key=api_key, attempts=ATTEMPTS
        ) as projector,
        _encoder(bundle, encoder_url, data) as url,
    ):
        done = _reindex(projector, url)
        if switch:
            _print_switched(_switch(search, projector, url, done))


@index.command("switch")
def switch_index(
    version: Version,
    even_if_behind: EvenIfBehind = False,
    search_url: SearchUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Make an index live, at once; the one before stays, and `casekin index rollback` goes back to it."""
    with searching(search_url, api_key, data) as search:
        _print_switched(search.switch(Switch(bundle_version=version, even_if_behind=even_if_behind)))


@index.command()
def rollback(search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """Make the index live again that was live before, at once, even if cases were added since."""
    with searching(search_url, api_key, data) as search:
        before = next((one for one in search.indexes() if one.state == "standby"), None)
        if before is None:
            raise Conflict("no other index was live before; `casekin index list` shows what there is")
        _print_switched(search.switch(Switch(bundle_version=before.bundle_version, even_if_behind=True)))


@index.command()
def delete(version: Version, search_url: SearchUrl = None, api_key: ApiKey = None, data: Data = Path("data")) -> None:
    """Delete an index that is not live; there is no way back."""
    with searching(search_url, api_key, data) as search:
        _show(search.delete_index(version))


@contextmanager
def _encoder(bundle: Path | None, url: str | None, data: Path) -> Iterator[str | None]:
    """Where the encoder with the new bundle answers, started for the length of the block where a folder is given."""
    if bundle is None:
        yield url
        return
    folder, found = data.resolve() / BESIDE, bundle.resolve()
    with launched(folder, lambda: make_encoder_plan(folder, found), Terminal()) as running:
        yield running.url("encoder")


def _reindex(projector: ProjectorClient, url: str | None) -> ReindexResult:
    """Run the job to its end; Ctrl-C cancels it, and what is done stays."""
    try:
        payload = Reindex(encoder_url=url)
    except ValueError as error:
        raise BadInput(f"{url!r} is no URL of an encoder; give one as http://host:8101") from error
    job = projector.submit(payload)
    try:
        result = follow(projector, job, "Re-index", ReindexResult)
    except KeyboardInterrupt:
        projector.cancel(job.id)
        typer.echo("casekin: stopped; the same command goes on where this stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{result.encoded:,} of {result.cases:,} cases encoded for the index of {result.bundle_version}")
    for case_id, code in result.skipped.items():
        typer.echo(f"  {case_id} is not in it: {code}", err=True)
    return result


def _switch(search: SearchClient, projector: ProjectorClient, url: str | None, done: ReindexResult) -> Switched:
    """Switch; where cases were added since the re-index, re-index those first. Raises `Conflict` where it cannot."""
    for _ in range(TURNS):
        try:
            return search.switch(Switch(bundle_version=done.bundle_version))
        except Conflict:
            if done.skipped:
                raise
            done = _reindex(projector, url)
    return search.switch(Switch(bundle_version=done.bundle_version))


def _print_switched(done: Switched) -> None:
    back = f"; the way back: casekin index rollback, to {done.before}" if done.before else ""
    typer.echo(f"live is the index of {done.live}{back}")
    if done.behind:
        typer.echo(
            f"{done.behind:,} cases are missing in it, or are as they were before a change: re-index to add them"
        )


def _show(indexes: list[Index]) -> None:
    width = max(len(one.bundle_version) for one in indexes)
    for one in indexes:
        typer.echo(f"{one.bundle_version:{width}}  {one.state:8}  {one.cases:>9,} cases")
