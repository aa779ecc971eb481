"""Remembers which folder was ingested last, so that a second start need not read its images again."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from casekin.atomic_files import write_durably
from casekin.collections.listing import walk
from casekin.collections.text import printable

FILE = "ingested.json"


class Ingested(BaseModel):
    """``ingested.json``: equal ones mean that an ingest would change nothing."""

    model_config = ConfigDict(frozen=True)

    source: str
    metadata: str | None
    ignore: list[str]
    listing: str
    """sha256 over path, size and time of change of each file."""
    bundle_version: str

    @classmethod
    def of(cls, source: Path, bundle_version: str, *, metadata: str | None = None, ignore: Sequence[str] = ()) -> Self:
        """The state after an ingest of `source` as it is now, with these options."""
        return cls(
            source=printable(source),
            metadata=metadata and printable(metadata),
            ignore=[printable(pattern) for pattern in ignore],
            listing=_listing(source),
            bundle_version=bundle_version,
        )

    def is_done(self, data: Path) -> bool:
        """Whether such an ingest has ended on `data`."""
        try:
            return self == Ingested.model_validate_json((data / FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return False

    def remember(self, data: Path) -> None:
        """Record on `data` that such an ingest has ended."""
        write_durably(data / FILE, self.model_dump_json(indent=1).encode())


def _listing(source: Path) -> str:
    """sha256 over path, size and time of change of each file of a folder, or of a zip, in hex."""
    files = [("", source)] if source.is_file() else walk(source)
    digest = hashlib.sha256()
    for relative, path in files:
        try:
            status = path.stat()
        except OSError:  # gone since it was listed
            continue
        line = f"{relative}\0{status.st_size}\0{status.st_mtime_ns}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
