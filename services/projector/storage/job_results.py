"""Results of jobs as files that expire."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from casekin.contracts.base import Contract
from casekin.contracts.export import TABLE_TYPE
from casekin.errors import Gone, NotFound
from services.projector.files import replace_file

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
        hours = self._lifetime_s / 3600
        raise Gone(
            f"the result of job {job_id} has expired ({hours:.3g} hours after it was computed); ask for it again"
        )

    def write(self, job_id: str, result: Contract) -> None:
        """Store the result; raises `StorageFull`."""
        replace_file(self._file(job_id), lambda stream: stream.write(result.model_dump_json().encode()))

    def attach(self, job_id: str, suffix: str, write: Callable[[BinaryIO], T]) -> tuple[T, int]:
        """Store the file that `write` writes, before the result it goes with; raises `StorageFull`.

        Returns what `write` returns, and the size of the file in bytes.
        """
        file, returned = self._results / f"{job_id}{suffix}", []
        replace_file(file, lambda stream: returned.append(write(stream)))
        return returned[0], file.stat().st_size

    def attachment(self, job_id: str) -> Path:
        """The file that goes with the result; raises `NotFound` where there is none, `Gone` where it expired."""
        self.read(job_id)
        files = [file for file in self._results.glob(f"{job_id}.*") if file.suffix in MEDIA_TYPES]
        if not files:
            raise NotFound(f"job {job_id} has no file; its result is all")
        return files[0]

    def sweep(self) -> int:
        """Delete what has expired; returns how many files."""
        expired = [file for file in self._results.iterdir() if not self._alive(file)]
        for file in expired:
            file.unlink(missing_ok=True)
        return len(expired)

    def _file(self, job_id: str) -> Path:
        return self._results / f"{job_id}.json"

    def _alive(self, file: Path) -> bool:
        try:
            return time.time() - file.stat().st_mtime < self._lifetime_s
        except FileNotFoundError:
            return False
