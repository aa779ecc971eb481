"""``ingest``: bring in a part of a collection, slowly enough that clinicians do not feel it."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from casekin.collections import LoadedCollection, Location, location_of, open_collection, store_errors
from casekin.contracts.ingest import FolderName, IngestPart, IngestResult
from casekin.errors import BadInput
from casekin.ingest import Ingest, Outcome, ReportFile, Summary
from casekin.ingest import Kind as OutcomeKind
from services.projector.jobs.progress import Report, Stage
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools


class Pace:
    """Rate limit: at most `rate` calls a second return; unused turns do not add up."""

    def __init__(self, rate: float) -> None:
        self._gap_s, self._next, self._lock = 1 / rate, 0.0, threading.Lock()

    def __call__(self) -> None:
        """Wait for the next turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        time.sleep(turn - now)


class IngestHandler(JobHandler[IngestPart, IngestResult]):
    """Submitted again it looks again: what is stored already is known by its digest."""

    payload, result, queue = IngestPart, IngestResult, "bulk"
    reuses_result = False
    summarises_work = True

    def limit_s(self, settings: ProjectorSettings) -> int:
        """Hours."""
        return settings.ingest_limit_s

    def prepare(self, payload: IngestPart, tools: SubmissionTools) -> tuple[IngestPart, list[str]]:
        """The folder is only known to the workers."""
        return payload, [tools.search.collection().bundle_version]

    def run(self, job: RunningJob[IngestPart], tools: WorkerTools) -> IngestResult:
        """Raises `BadInput` where the folder holds no collection, and what would befall every further image."""
        part = _part(open_below(tools.settings.collections, job.payload.folder), job.payload)
        ingest = Ingest(tools.encoder, tools.write_search, workers=1, pace=tools.pace)
        summary, size = job.attach(".csv", lambda stream: _run(ingest, part, stream, job.report))
        return IngestResult(
            ingested=summary.counts[OutcomeKind.INGESTED],
            replaced=summary.counts[OutcomeKind.REPLACED],
            unchanged=summary.counts[OutcomeKind.UNCHANGED],
            skipped=summary.counts[OutcomeKind.SKIPPED],
            skipped_by_code=dict(summary.skipped_by_code),
            media_type="text/csv",
            size=size,
            link=job.file_link,
        )


def open_below(collections: str | None, name: FolderName) -> LoadedCollection:
    """Open a folder or zip below the collections.

    Raises `BadInput` where there is none of that name, or a link leads out of the collections.
    """
    if collections is None:
        raise BadInput("this worker was given no folder of collections; start it with CASEKIN_COLLECTIONS")
    root = location_of(collections)
    within = root if isinstance(root, Path) else None  # stores have no links
    if not _exists(root / name, within):
        raise BadInput(f"there is no folder {name} among the collections of the workers")
    return open_collection(root / name, within=within)


def _exists(location: Location, within: Path | None) -> bool:
    try:
        with store_errors(location):
            exists = location.is_dir() or location.is_file()
    except OSError:  # a name that no file can have
        return False
    return exists and (within is None or Path(str(location)).resolve().is_relative_to(within.resolve()))


def _run(ingest: Ingest, part: LoadedCollection, stream: BinaryIO, report: Report) -> Summary:
    """Ingest `part`; `stream` gets a CSV with a line for each image."""
    total = len(part.rows) + len(part.skipped)
    stage = Stage(report, 0.0, 1.0, lambda done, of: f"{done:,} of {of:,} images", last=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.csv"
        with ReportFile(file) as lines:
            summary = ingest.run(part, _note_each(lines, lambda done: stage(done, total)))
        stream.write(file.read_bytes())
    return summary


def _part(whole: LoadedCollection, payload: IngestPart) -> LoadedCollection:
    """What cannot be ingested at all is reported with the first part."""
    skipped = whole.skipped if payload.part == 1 else []
    return replace(whole, rows=whole.rows[payload.part - 1 :: payload.parts], skipped=skipped)


def _note_each(lines: ReportFile, count: Callable[[int], None]) -> Callable[[Outcome], None]:
    done = 0

    def note(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        lines.add(outcome)
        count(done)

    return note
