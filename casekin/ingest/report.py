"""The report: a CSV with one line an image, written as things happen."""

import csv
from pathlib import Path
from types import TracebackType
from typing import Self

from casekin.errors import BadInput
from casekin.ingest.outcome import Outcome


class ReportFile:
    """Columns ``id,outcome,code,reason``; each line is on its way to disk at once, so a killed run leaves a report."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = file.open("w", buffering=1, newline="", encoding="utf-8")
        except OSError as error:
            raise BadInput(
                f"the report cannot be written to {file}: {error.strerror}; name another with --report"
            ) from error
        self._writer = csv.writer(self._stream)
        self._writer.writerow(("id", "outcome", "code", "reason"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def add(self, outcome: Outcome) -> None:
        """Write one line."""
        self._writer.writerow((outcome.id, outcome.kind.value, outcome.code, outcome.reason))
