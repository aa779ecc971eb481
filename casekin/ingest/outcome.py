"""How each image of an ingest ended: counted, and written to a report line by line."""

import csv
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from casekin.errors import BadInput, StorageFull


class Kind(StrEnum):
    """How an image can end."""

    INGESTED = "ingested"
    """New in the collection."""
    REPLACED = "replaced"
    """Stored in place of another state of the case."""
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """How one image ended, for the report."""

    id: str
    """Id of the case, or the file where there is none."""
    kind: Kind
    code: str = ""
    """Why it was skipped, in one word; empty otherwise."""
    reason: str = ""
    """Why it was skipped, or what was odd about it, as a sentence."""


@dataclass
class Summary:
    """Number of images by how they ended."""

    counts: Counter[Kind] = field(default_factory=Counter)
    skipped_by_code: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.counts[outcome.kind] += 1
        if outcome.kind is Kind.SKIPPED:
            self.skipped_by_code[outcome.code] += 1

    @property
    def is_empty(self) -> bool:
        """Whether no image is in the collection after it."""
        return self.done == self.counts[Kind.SKIPPED]

    @property
    def done(self) -> int:
        """Number of images that ended."""
        return self.counts.total()


class ReportFile:
    """CSV with the columns ``id,outcome,code,reason``; lines are flushed one by one, so a killed run leaves one."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = file.open("w", buffering=1, newline="", encoding="utf-8", errors="backslashreplace")
            self._writer = csv.writer(self._stream)
            self._writer.writerow(("id", "outcome", "code", "reason"))
        except OSError as error:
            raise BadInput(
                f"the report cannot be written to {file}: {error.strerror}; name another with --report"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # lines that could not be written were reported by `add`
            self._stream.close()

    def add(self, outcome: Outcome) -> None:
        """Write one line; raises `StorageFull` where it cannot be written."""
        try:
            self._writer.writerow((outcome.id, outcome.kind.value, outcome.code, outcome.reason))
        except OSError as error:
            raise StorageFull(f"the report cannot be written any further: {error.strerror}") from error
