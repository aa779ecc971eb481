"""Who looked at what, when: one JSON line each, on disk before the answer goes out."""

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import structlog


class AuditLog:
    """Appends lines ``{"at", "who", "what", "subject"}`` to a file (mode 0600), or to the log where there is none."""

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(self, who: str, what: str, subject: str) -> None:
        """Note that `who` did `what` to `subject`; raises OSError where the line cannot be written."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self._descriptor is None:
            structlog.get_logger("audit").info("audit", who=who, what=what, subject=subject)
            return
        line = json.dumps({"at": at, "who": who, "what": what, "subject": subject}) + "\n"
        with self._lock:
            os.write(self._descriptor, line.encode())

    def close(self) -> None:
        """Close the file; no line may follow."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
