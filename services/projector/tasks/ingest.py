"""Brings in a part of a collection, slowly enough that clinicians do not feel it."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from casekin.clients import EncoderClient, SearchClient
from casekin.collections import LoadedCollection, Location, location_of, open_collection, store_errors
from casekin.contracts.ingest import FolderName, IngestPart
from casekin.errors import BadInput
from casekin.ingest import Ingest, Outcome, ReportFile, Summary
from services.projector.jobs.progress import Report, Stage


class Pace:
    """Lets one after the other pass, at most `rate` a second; what was not used is not made up for."""

    def __init__(self, rate: float) -> None:
        self._gap_s, self._next, self._lock = 1 / rate, 0.0, threading.Lock()

    def __call__(self) -> None:
        """Wait until it is time."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        time.sleep(turn - now)


class BulkIngest:
    """What an ingest job needs: where collections lie, and how fast images may go."""

    def __init__(self, collections: str | None, encoder: EncoderClient, search: SearchClient, pace: Pace) -> None:
        self._collections = collections
        self._ingest = Ingest(encoder, search, workers=1, pace=pace)

    def run(self, payload: IngestPart, stream: BinaryIO, report: Report) -> Summary:
        """How the images of the part ended; `stream` gets a CSV with a line for each.

        Raises `BadInput` where the folder holds no collection, and what would befall every further image.
        """
        part = _part(self._open(payload.folder), payload)
        total = len(part.rows) + len(part.skipped)
        stage = Stage(report, 0.0, 1.0, lambda done, of: f"{done:,} of {of:,} images", last=True)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.csv"
            with ReportFile(file) as lines:
                summary = self._ingest.run(part, _telling(lines, lambda done: stage(done, total)))
            stream.write(file.read_bytes())
        return summary

    def _open(self, name: FolderName) -> LoadedCollection:
        """Open a folder or zip below the collections.

        Raises `BadInput` where there is none of that name, or a link leads out of the collections.
        """
        if self._collections is None:
            raise BadInput("this worker was given no folder of collections; start it with CASEKIN_COLLECTIONS")
        root = location_of(self._collections)
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


def _part(whole: LoadedCollection, payload: IngestPart) -> LoadedCollection:
    """What cannot be taken at all is told with the first part."""
    skipped = whole.skipped if payload.part == 1 else []
    return replace(whole, rows=whole.rows[payload.part - 1 :: payload.parts], skipped=skipped)


def _telling(lines: ReportFile, count: Callable[[int], None]) -> Callable[[Outcome], None]:
    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        lines.add(outcome)
        count(done)

    return tell
