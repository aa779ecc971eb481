"""Results of jobs as JSON files, and which map is the current one."""

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from casekin.contracts.base import Contract, Preset
from casekin.contracts.projector import CaseMap
from casekin.errors import Gone, NotFound, StorageFull

R = TypeVar("R", bound=Contract)


class CurrentMap(Contract):
    """``current-map.json``: what must be known of the map without reading all of it."""

    id: str
    bundle_version: str
    revision: str
    preset: Preset
    cases: int


class Artefacts:
    """Results by job id under one folder; a reader sees a whole file or none."""

    def __init__(self, folder: Path, lifetime_s: float) -> None:
        self._results = folder / "results"
        self._pointer = folder / "current-map.json"
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
        _replace(self._file(job_id), result.model_dump_json().encode())

    def current(self) -> CurrentMap | None:
        """Which map is current; none where none was fitted, or its file was taken away."""
        try:
            current = CurrentMap.model_validate_json(self._pointer.read_bytes())
        except FileNotFoundError:
            return None
        return current if self._file(current.id).exists() else None

    def current_map(self) -> bytes:
        """The current map as JSON; raises `NotFound`."""
        current = self.current()
        if current is None:
            raise NotFound("no map has been fitted yet; submit a job of kind map.fit")
        return self._file(current.id).read_bytes()

    def set_current(self, fitted: CaseMap) -> None:
        """Make a stored map the current one."""
        current = CurrentMap(
            id=fitted.id,
            bundle_version=fitted.bundle_version,
            revision=fitted.revision,
            preset=fitted.preset,
            cases=len(fitted.cases),
        )
        _replace(self._pointer, current.model_dump_json().encode())

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
            young = time.time() - file.stat().st_mtime < self._lifetime_s
        except FileNotFoundError:
            return False
        return young or self._is_current(file)

    def _is_current(self, file: Path) -> bool:
        current = self.current()
        return current is not None and file == self._file(current.id)


def _replace(file: Path, content: bytes) -> None:
    with _room(file):
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _room(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left in {file.parent.name}/ for a result; free some and ask again") from error
        raise
