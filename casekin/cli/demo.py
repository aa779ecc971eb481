"""`casekin demo`: start, bring a collection in, fit the map, serve; with the time of each."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.ingest import ATTEMPTS, run_ingest
from casekin.cli.terminal.progress import progress
from casekin.cli.up import Bundle, Data, Host, Port, served, welcome
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.maps import MapFit, MapVersion
from casekin.contracts.projector import Job
from casekin.contracts.search import Collection
from casekin.errors import Unexpected
from casekin.ingest import Ingest
from casekin.launcher.console import Terminal
from casekin.launcher.ingested import Ingested
from casekin.launcher.plan import Options
from casekin.launcher.state import Running
from casekin.phantoms import write_phantoms

PHANTOMS = 600
SEED = 7


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            exists=True, file_okay=False, help="A download of HAM10000, or images with a table; without it, phantoms."
        ),
    ] = None,
    data: Data = Path("data"),
    bundle: Bundle = Path("bundles/default"),
    port: Port = None,
    host: Host = "127.0.0.1",
    api_key: Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)] = None,
    exit_when_ready: Annotated[bool, typer.Option(help="Stop as soon as all is there, for measurements.")] = False,
) -> None:
    """Start all services, bring a collection in, fit the map, and serve until Ctrl-C; again, it takes what is there."""
    began = time.monotonic()
    terminal = Terminal()
    with served(Options(data=data.resolve(), bundle=bundle.resolve(), host=host, port=port), terminal) as found:
        terminal.say(f"services started in {time.monotonic() - began:.1f} s")
        _bring_in(folder, data.resolve(), found, api_key, terminal)
        _fit(found, api_key, terminal)
        terminal.say(f"all in {time.monotonic() - began:.1f} s")
        welcome(terminal, found, asked=port)
        if not exit_when_ready:
            signal.pause()


def _bring_in(folder: Path | None, data: Path, found: Running, api_key: str | None, terminal: Terminal) -> None:
    """Ingest `folder`, or phantoms, unless the last ingest on `data` was of the same files for the same bundle."""
    source = folder.resolve() if folder else data / "phantoms"
    with (
        EncoderClient(found.url("encoder"), api_key=api_key, attempts=ATTEMPTS) as encoder,
        SearchClient(found.url("search"), api_key=api_key, attempts=ATTEMPTS, timeout_s=120) as search,
    ):
        version = encoder.model().manifest.version
        cases = search.collection().cases
        if cases and Ingested.of(source, version).is_done(data):
            terminal.say(f"{cases} cases are there already, from {source}")
            return
        if folder is None:
            _draw(source)
        terminal.say(f"ingesting {source}")
        before = Ingested.of(source, version)
        summary = run_ingest(Ingest(encoder, search), open_collection(source), data / "ingest-report.csv")
        if summary.interrupted:
            raise KeyboardInterrupt
        if Unexpected.code not in summary.skipped_by_code:  # what a bug skipped is tried again
            before.remember(data)


def _draw(folder: Path) -> None:
    with progress("Phantoms", PHANTOMS) as meter:
        for done in write_phantoms(folder, count=PHANTOMS, seed=SEED):
            meter(done)


def _fit(found: Running, api_key: str | None, terminal: Terminal) -> None:
    """Fit the map, unless the current one is of the collection as it is."""
    with (
        SearchClient(found.url("search"), api_key=api_key) as search,
        ProjectorClient(found.url("projector"), api_key=api_key) as projector,
    ):
        cases = _mapped(projector, search.collection())
        if cases:
            terminal.say(f"the map of {cases} cases is there already")
            return
        began = time.monotonic()
        fitted = _followed(projector, projector.submit(MapFit()))
        took = time.monotonic() - began
        terminal.say(f"map of {fitted.cases} cases in {took:.1f} s, of which {fitted.fit_s:.1f} s were the fit")


def _mapped(projector: ProjectorClient, collection: Collection) -> int:
    """How many cases are on the current map; 0 where it is of another state of the collection."""
    kept = projector.maps()
    same = (collection.revision, collection.bundle_version)
    here = (version for version in kept.maps if version.id == kept.current)
    return sum(version.cases for version in here if (version.revision, version.bundle_version) == same)


def _followed(projector: ProjectorClient, job: Job) -> MapVersion:
    with progress("Map, percent", 100) as meter:
        for seen in projector.follow(job):
            job = seen
            meter(int(100 * job.progress.fraction))
    return projector.wait(job, MapVersion, timeout_s=30)
