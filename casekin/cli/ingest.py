"""`casekin ingest`: bring a collection in."""

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

from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.progress import progress
from casekin.cli.up import Data
from casekin.clients import EncoderClient, SearchClient
from casekin.collections import CollectionSpec, Columns, LoadedCollection, open_collection, read_spec
from casekin.contracts.search import CollectionInfo
from casekin.errors import CasekinError
from casekin.ingest import Ingest, Kind, Outcome, ReportFile, Summary
from casekin.launcher.state import running

ATTEMPTS = 6
"""Of each request: some seconds, in which a crashed service is back."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
RESUME = "the same command goes on where this stopped"
"""True at any point: what is stored is known by its digest."""

ALONE = {
    "encoder": "http://127.0.0.1:8101",
    "search": "http://127.0.0.1:8102",
    "projector": "http://127.0.0.1:8103",
}
"""Where services listen that no launcher started."""
WHERE = "Left out: where `casekin up` runs it on --data, or else on its own port of this machine."

Column = Annotated[str | None, typer.Option(metavar="NAME", help="Column that holds it.", rich_help_panel="Columns")]
Word = Annotated[str | None, typer.Option(rich_help_panel="Collection")]


def ingest(
    folder: Annotated[Path, typer.Argument(help="A download of HAM10000, or images with a table.")],
    encoder_url: Annotated[str | None, typer.Option(envvar="CASEKIN_ENCODER_URL", help=WHERE)] = None,
    search_url: Annotated[str | None, typer.Option(envvar="CASEKIN_SEARCH_URL", help=WHERE)] = None,
    api_key: Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)] = None,
    data: Data = Path("data"),
    report: Annotated[Path | None, typer.Option(help="The report; else ingest-report.csv under --data.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Images at a time; else two a core.")] = None,
    collection: Annotated[
        Path | None, typer.Option(help="A collection.toml; else the one in the folder.", rich_help_panel="Collection")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(help="File name of the table, if several would fit.", rich_help_panel="Collection")
    ] = None,
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
    """Bring a collection in; the same command again goes on where it stopped, or changes nothing."""
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
    words = {"title": title, "licence": licence, "citation": citation}
    file = report or data / "ingest-report.csv"
    try:
        loaded = open_collection(folder, _spec(folder, collection, columns), metadata=metadata)
        loaded = _titled(loaded, {name: word for name, word in words.items() if word})
    except CasekinError as error:
        raise stop(error) from error
    try:
        encoder_url, search_url = encoder_url or where("encoder", data), search_url or where("search", data)
        with (
            EncoderClient(encoder_url, api_key=api_key, attempts=ATTEMPTS) as encoder,
            SearchClient(search_url, api_key=api_key, attempts=ATTEMPTS, timeout_s=120) as search,
        ):
            summary = run_ingest(Ingest(encoder, search, workers=workers), loaded, file)
    except CasekinError as error:
        raise stop(error, RESUME) from error
    if summary.interrupted:
        typer.echo(f"casekin: interrupted; {RESUME}", err=True)
        raise typer.Exit(INTERRUPTED)


def where(service: str, data: Path) -> str:
    """URL of a service: of the launcher that runs on `data`, or else its own port on this machine."""
    found = running(data)
    return found.url(service) if found else ALONE[service]


def _spec(folder: Path, file: Path | None, columns: Columns) -> CollectionSpec | None:
    """How to read `folder`; none where neither file nor options say so and it has to be recognised."""
    if file is None and (folder / "collection.toml").is_file():
        file = folder / "collection.toml"
    named = columns.named()
    if file is None:
        return CollectionSpec(title=folder.resolve().name or "Collection", columns=columns) if named else None
    spec = read_spec(file)
    return spec.model_copy(update={"columns": spec.columns.model_copy(update=named)})


def _titled(loaded: LoadedCollection, words: dict[str, str]) -> LoadedCollection:
    return replace(loaded, info=CollectionInfo.model_validate(loaded.info.model_dump() | words))


def run_ingest(ingest: Ingest, loaded: LoadedCollection, report: Path) -> Summary:
    """Ingest `loaded` with progress on the terminal and line by line in `report`; Ctrl-C interrupts it tidily."""
    stamina.instrumentation.set_on_retry_hooks([])
    started, done = time.monotonic(), -len(loaded.skipped)  # those come first and take no time
    with ReportFile(report) as lines, progress(loaded.info.title, len(loaded.rows)) as meter, _asked_to_stop() as asked:

        def tell(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            lines.add(outcome)
            meter(max(done, 0))

        summary = ingest.run(loaded, tell, asked)
    _sum_up(summary, time.monotonic() - started, report)
    return summary


def _sum_up(summary: Summary, seconds: float, report: Path) -> None:
    counts = ", ".join(f"{summary.counts[kind]} {kind}" for kind in Kind)
    rate = (summary.done - summary.counts[Kind.SKIPPED]) / max(seconds, 1e-3)
    typer.echo(f"{summary.done} images in {seconds:.1f} s ({rate:.1f}/s): {counts}")
    for code, count in summary.skipped_by_code.most_common():
        typer.echo(f"  skipped, {code}: {count}")
    typer.echo(f"line by line in {report}")


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; the second ends the process at once."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def first(*_: object) -> None:
        asked.set()
        typer.echo("casekin: finishing what is under way; once more to leave at once", err=True)
        for number in before:
            signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, first)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
