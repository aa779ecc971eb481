"""`casekin demo`: start all services, ingest a collection, fit the map, serve; with the time of each."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.ingest import nothing_ingested, run_ingest
from casekin.cli.options import ATTEMPTS, ApiKey, Data, Ignore, Metadata, TakeOver
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.job_progress import follow
from casekin.cli.terminal.progress import progress
from casekin.cli.up import Bundle, Host, Port, served, welcome
from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.collections import LoadedCollection, open_collection
from casekin.contracts.collection import Collection
from casekin.contracts.maps import MapFit, MapVersion
from casekin.errors import CasekinError, Unexpected
from casekin.ingest import Ingest
from casekin.launcher.console import Terminal
from casekin.launcher.ingested import Ingested
from casekin.launcher.plan import Options
from casekin.launcher.state import Running
from casekin.phantoms import write_phantoms

PHANTOMS = 600
SEED = 7


@dataclass(frozen=True)
class Source:
    """What to ingest."""

    folder: Path | None
    """None draws phantoms."""
    metadata: str | None
    ignore: list[str]
    take_over: bool
    """Replace cases of other collections that have the same id."""

    def open(self, folder: Path) -> LoadedCollection:
        """Read the tables of `folder` and find its images."""
        return open_collection(folder, metadata=self.metadata, ignore=self.ignore)

    def state(self, folder: Path, bundle_version: str) -> Ingested:
        """What an ingest of `folder` as it is now leaves behind."""
        return Ingested.of(folder, bundle_version, metadata=self.metadata, ignore=self.ignore)


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A download of HAM10000, or images with a table; may be a zip; without it, phantoms."),
    ] = None,
    data: Data = Path("data"),
    bundle: Bundle = Path("bundles/default"),
    port: Port = None,
    host: Host = "127.0.0.1",
    api_key: ApiKey = None,
    metadata: Metadata = None,
    ignore: Ignore = None,
    take_over: TakeOver = False,
    exit_when_ready: Annotated[bool, typer.Option(help="Stop as soon as all is there, for measurements.")] = False,
) -> None:
    """Start all services, ingest a collection, fit the map, and serve until Ctrl-C; again, it keeps what is there."""
    began = time.monotonic()
    terminal = Terminal()
    source = Source(folder.expanduser().resolve() if folder else None, metadata, ignore or [], take_over)
    try:
        loaded = source.open(source.folder) if source.folder else None  # refused before anything is started
    except CasekinError as error:
        raise stop(error) from error
    with served(Options(data=data.resolve(), bundle=bundle.resolve(), host=host, port=port), terminal) as running:
        terminal.say(f"services started in {time.monotonic() - began:.1f} s")
        _ingest(source, loaded, data.resolve(), running, api_key, terminal)
        _fit_map(running, api_key, terminal)
        terminal.say(f"all in {time.monotonic() - began:.1f} s")
        welcome(terminal, running, port)
        if not exit_when_ready:
            signal.pause()


def _ingest(
    source: Source,
    loaded: LoadedCollection | None,
    data: Path,
    running: Running,
    api_key: str | None,
    terminal: Terminal,
) -> None:
    """Ingest the collection, or phantoms, unless the last ingest on `data` was of the same files and bundle."""
    folder = source.folder or data / "phantoms"
    with (
        EncoderClient(running.url("encoder"), api_key=api_key, attempts=ATTEMPTS) as encoder,
        SearchClient(running.url("search"), api_key=api_key, attempts=ATTEMPTS, timeout_s=120) as search,
    ):
        version = encoder.model().manifest.version
        cases = search.collection().cases
        if cases and source.state(folder, version).is_done(data):
            terminal.say(f"{cases} cases are there already, from {folder}")
            return
        if loaded is None:
            _draw_phantoms(folder)
            loaded = source.open(folder)
        state = source.state(folder, version)
        terminal.say(f"ingesting {folder}")
        summary = run_ingest(Ingest(encoder, search, take_over=source.take_over), loaded, data / "ingest-report.csv")
        if summary.interrupted:
            raise KeyboardInterrupt
        if summary.is_empty:
            raise nothing_ingested(folder)
        if Unexpected.code not in summary.skipped_by_code:  # try again what a bug skipped
            state.remember(data)


def _draw_phantoms(folder: Path) -> None:
    with progress("Phantoms", PHANTOMS) as meter:
        for done in write_phantoms(folder, count=PHANTOMS, seed=SEED):
            meter(done)


def _fit_map(running: Running, api_key: str | None, terminal: Terminal) -> None:
    """Fit the map, unless the current one is of the collection as it is."""
    with (
        SearchClient(running.url("search"), api_key=api_key) as search,
        ProjectorClient(running.url("projector"), api_key=api_key) as projector,
    ):
        cases = _cases_on_map(projector, search.collection())
        if cases:
            terminal.say(f"the map of {cases} cases is there already")
            return
        began = time.monotonic()
        fitted = follow(projector, projector.submit(MapFit()), "Map", MapVersion)
        took = time.monotonic() - began
        terminal.say(f"map of {fitted.cases} cases in {took:.1f} s, of which {fitted.fit_s:.1f} s were the fit")


def _cases_on_map(projector: ProjectorClient, collection: Collection) -> int:
    """Number of cases on the current map; 0 where it is of another state of the collection."""
    maps = projector.maps()
    state = (collection.revision, collection.bundle_version)
    current = (version for version in maps.maps if version.id == maps.current)
    return sum(version.cases for version in current if (version.revision, version.bundle_version) == state)
