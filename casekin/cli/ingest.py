"""`casekin ingest`: ingest a collection."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import stamina.instrumentation
import typer
from pydantic import ValidationError

from casekin.cli.options import (
    ATTEMPTS,
    INTERRUPTED,
    ApiKey,
    Data,
    EncoderUrl,
    Ignore,
    Metadata,
    SearchUrl,
    TakeOver,
    service_url,
)
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.progress import progress
from casekin.clients import EncoderClient, SearchClient
from casekin.collections import Columns, LoadedCollection, location_of, open_collection, read_spec
from casekin.contracts.base import worded
from casekin.contracts.collection import CollectionInfo
from casekin.errors import BadInput, CasekinError
from casekin.ingest import Ingest, Kind, Outcome, ReportFile, Summary

RESUME = "the same command goes on where this stopped"
"""True at any point: what is stored is known by its digest."""

Column = Annotated[str | None, typer.Option(metavar="NAME", help="Column that holds it.", rich_help_panel="Columns")]
Word = Annotated[str | None, typer.Option(rich_help_panel="Collection")]


def ingest(
    folder: Annotated[
        str, typer.Argument(help="A download of HAM10000 or of the ISIC Archive, or images with a table; may be a zip.")
    ],
    encoder_url: EncoderUrl = None,
    search_url: SearchUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
    report: Annotated[Path | None, typer.Option(help="The report; else ingest-report.csv under --data.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Images at a time; else two a core.")] = None,
    collection: Annotated[
        Path | None, typer.Option(help="A collection.toml; else the one in the folder.", rich_help_panel="Collection")
    ] = None,
    metadata: Metadata = None,
    ignore: Ignore = None,
    take_over: TakeOver = False,
    title: Word = None,
    licence: Word = None,
    citation: Word = None,
    id_column: Column = None,
    image_column: Column = None,
    lesion_column: Column = None,
    diagnosis_column: Column = None,
    evidence_column: Column = None,
    age_column: Column = None,
    sex_column: Column = None,
    site_column: Column = None,
    source_column: Column = None,
) -> None:
    """Ingest a collection; the same command again resumes where it stopped, or changes nothing."""
    columns = Columns(
        id=id_column,
        image=image_column,
        lesion=lesion_column,
        diagnosis=diagnosis_column,
        evidence=evidence_column,
        age=age_column,
        sex=sex_column,
        site=site_column,
        source=source_column,
    )
    try:
        spec = read_spec(collection) if collection else None
        loaded = open_collection(location_of(folder), spec, columns=columns, metadata=metadata, ignore=ignore)
        loaded = _described(loaded, title=title, licence=licence, citation=citation)
    except CasekinError as error:
        raise stop(error) from error
    try:
        with (
            EncoderClient(encoder_url or service_url("encoder", data), api_key=api_key, attempts=ATTEMPTS) as encoder,
            SearchClient(
                search_url or service_url("search", data), api_key=api_key, attempts=ATTEMPTS, timeout_s=120
            ) as search,
        ):
            file = report or data / "ingest-report.csv"
            summary = run_ingest(Ingest(encoder, search, workers=workers, take_over=take_over), loaded, file)
    except CasekinError as error:
        raise stop(error, RESUME) from error
    if summary.interrupted:
        typer.echo(f"casekin: interrupted; {RESUME}", err=True)
        raise typer.Exit(INTERRUPTED)
    if summary.is_empty:
        raise stop(nothing_ingested(folder))


def nothing_ingested(folder: str | Path) -> BadInput:
    """The error of an ingest after which no image of the folder is in the collection."""
    return BadInput(f"no image of {folder} is in the collection; the report says why, line by line")


def _described(loaded: LoadedCollection, **words: str | None) -> LoadedCollection:
    """`loaded` with title, licence and citation of the command line; raises `BadInput` that names the value."""
    given = {name: word for name, word in words.items() if word}
    try:
        return replace(loaded, info=CollectionInfo.model_validate(loaded.info.model_dump() | given))
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadInput(f"--{fault['loc'][0]}: {worded(fault)}") from error


def run_ingest(ingest: Ingest, loaded: LoadedCollection, report: Path) -> Summary:
    """Ingest `loaded` with progress on the terminal and line by line in `report`; Ctrl-C interrupts it tidily."""
    stamina.instrumentation.set_on_retry_hooks([])
    started, done = time.monotonic(), -len(loaded.skipped)  # those come first and take no time
    with ReportFile(report) as lines, progress(loaded.info.title, len(loaded.rows)) as meter, stop_on_signal() as stop:

        def on_outcome(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            lines.add(outcome)
            if done > 0:
                meter(done)

        summary = ingest.run(loaded, on_outcome, stop)
    _print_summary(summary, time.monotonic() - started, report)
    return summary


def _print_summary(summary: Summary, seconds: float, report: Path) -> None:
    counts = ", ".join(f"{summary.counts[kind]} {kind}" for kind in Kind)
    rate = (summary.done - summary.counts[Kind.SKIPPED]) / max(seconds, 1e-3)
    typer.echo(f"{summary.done} images in {seconds:.1f} s ({rate:.1f}/s): {counts}")
    for code, count in summary.skipped_by_code.most_common():
        typer.echo(f"  skipped, {code}: {count}")
    typer.echo(f"line by line in {report}")


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; the second ends the process at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def first(*_: object) -> None:
        stop.set()
        typer.echo("casekin: finishing what is under way; once more to leave at once", err=True)
        for number in before:
            signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, first)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
