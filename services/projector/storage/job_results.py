"""Results of jobs as files that expire."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar

from casekin.atomic_files import stream_durably, write_durably
from casekin.contracts.base import CaseId, Contract
from casekin.contracts.export import TABLE_TYPE
from casekin.errors import Gone, NotFound

T = TypeVar("T")
MEDIA_TYPES = {".csv": "text/csv", ".parquet": TABLE_TYPE, ".webp": "image/webp"}
"""Of the files that can go with a result, by their suffix."""


class JobResults:
    """Results by job id under one folder; a reader sees a whole file or none."""

    def __init__(self, folder: Path, lifetime_s: float) -> None:
        self._results = folder / "results"
        self._lifetime_s = lifetime_s
        self._results.mkdir(parents=True, exist_ok=True)

    def has(self, job_id: str) -> bool:
        """Whether the result can be fetched: it is there and has not expired."""
        return self._alive(self._file(job_id))

    def read(self, job_id: str) -> bytes:
        """The result as JSON; raises `Gone`."""
        file = self._file(job_id)
        try:
            if self._alive(file):
                return file.read_bytes()
        except FileNotFoundError:
            pass
        raise Gone(
            f"the result of job {job_id} has expired: results are kept {self._lifetime_s / 3600:.3g} hours, and those "
            "that may show a case only until it is deleted; submit the job again"
        )

    def write(self, job_id: str, result: Contract) -> None:
        """Store the result; raises `StorageFull`."""
        write_durably(self._file(job_id), result.model_dump_json().encode())

    def attach(self, job_id: str, suffix: str, write: Callable[[BinaryIO], T]) -> tuple[T, int]:
        """Store the file that `write` writes, before the result it goes with; raises `StorageFull`.

        Returns what `write` returns, and the size of the file in bytes.
        """
        file = self._results / f"{job_id}{suffix}"
        return stream_durably(file, write), file.stat().st_size

    def attachment(self, job_id: str) -> Path:
        """The file that goes with the result; raises `NotFound` where there is none, `Gone` where it expired."""
        self.read(job_id)
        files = [file for file in self._results.glob(f"{job_id}.*") if file.suffix in MEDIA_TYPES]
        if not files:
            raise NotFound(f"job {job_id} has no file, only a result")
        return files[0]

    def remove(self, job_id: str) -> None:
        """Remove the result and its file, if they are there."""
        for file in self._results.glob(f"{job_id}.*"):
            file.unlink(missing_ok=True)

    def remove_written_before(
        self, moment: float, summaries: Callable[[Iterable[str]], set[str]], ids: frozenset[CaseId]
    ) -> int:
        """Remove results written up to `moment` (seconds since the epoch), with their files; returns how many.

        Of the jobs that `summaries` picks only those go that name one of `ids`.
        """
        old = {file.name.partition(".")[0] for file in self._results.iterdir() if _written_at(file) <= moment}
        old.discard("")  # files that are being written
        removed = old - {job_id for job_id in summaries(old) if not self._names(job_id, ids)}
        for job_id in removed:
            self.remove(job_id)
        return len(removed)

    def sweep(self) -> int:
        """Delete what has expired; returns how many files."""
        expired = [file for file in self._results.iterdir() if not self._alive(file)]
        for file in expired:
            file.unlink(missing_ok=True)
        return len(expired)

    def _names(self, job_id: str, ids: frozenset[CaseId]) -> bool:
        """Whether one of `ids` stands anywhere in the result or its file."""
        texts = [file.read_bytes() for file in self._results.glob(f"{job_id}.*")]
        spelt = {text.encode() for case in ids for text in _spellings(case)}
        return any(one in text for one in spelt for text in texts)

    def _file(self, job_id: str) -> Path:
        return self._results / f"{job_id}.json"

    def _alive(self, file: Path) -> bool:
        return time.time() - _written_at(file) < self._lifetime_s


def _spellings(case: CaseId) -> set[str]:
    """An id as it is written in JSON and in CSV."""
    return {json.dumps(case, ensure_ascii=False)[1:-1], case.replace('"', '""')}


def _written_at(file: Path) -> float:
    """Seconds since the epoch; never for a file that is not there."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return float("-inf")
