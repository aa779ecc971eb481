"""`casekin import`: a table of cases with their latents, as `casekin export` writes it."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.options import ApiKey, Data, SearchUrl
from casekin.cli.terminal.progress import progress
from casekin.cli.terminal.search_client import searching
from casekin.clients import SearchClient
from casekin.errors import Unavailable
from casekin.ingest import Kind, Outcome, Summary

SHOWN = 20
"""Skipped cases that are named."""


def import_cases(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A Parquet table of `casekin export`.")],
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder with the images, each named by its case; left out, only cases that have one already come in.",
        ),
    ] = None,
    search_url: SearchUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Bring a table in with the latents that it has; cases of the same id are replaced, the same table changes nothing.

    The latents must be of the bundle in use. Places on the map are not read: draw the map anew.
    """
    with searching(search_url, api_key, data) as search:
        summary = _imported(file, images, search)
    typer.echo(", ".join(f"{summary.counts[kind]} {kind}" for kind in (Kind.INGESTED, Kind.REPLACED, Kind.SKIPPED)))
    if summary.counts[Kind.SKIPPED] or summary.is_empty:
        raise typer.Exit(1)


def _imported(file: Path, images: Path | None, search: SearchClient) -> Summary:
    try:
        from casekin.ingest.importing import Images, import_table  # noqa: PLC0415  pyarrow is not everywhere
        from casekin.parquet import CaseTable  # noqa: PLC0415  likewise
    except ImportError as error:
        raise Unavailable("reading Parquet needs pyarrow: install casekin[table]") from error
    table, named = CaseTable(file), 0
    with progress("Table", table.rows_in_all) as meter:
        done = 0

        def on_outcome(outcome: Outcome) -> None:
            nonlocal done, named
            done += 1
            meter(done)
            if outcome.kind is Kind.SKIPPED and (named := named + 1) <= SHOWN:
                typer.echo(f"  {outcome.id} skipped, {outcome.code}: {outcome.reason}", err=True)

        return import_table(table, search, Images(images, search), on_outcome)
