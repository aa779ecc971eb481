"""Remembers which folder was ingested last, so that a second start need not read its images again."""

import hashlib
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "ingested.json"


class Ingested(BaseModel):
    """``ingested.json``: equal ones mean that an ingest would change nothing."""

    model_config = ConfigDict(frozen=True)

    source: Path
    listing: str
    """sha256 over path, size and time of change of each file."""
    bundle_version: str

    @classmethod
    def of(cls, source: Path, bundle_version: str) -> Self:
        """What ingesting `source` as it is now would leave behind."""
        return cls(source=source, listing=listing(source), bundle_version=bundle_version)

    def is_done(self, data: Path) -> bool:
        """Whether such an ingest has ended on `data`."""
        try:
            return self == Ingested.model_validate_json((data / FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return False

    def remember(self, data: Path) -> None:
        """Such an ingest has ended on `data`."""
        fresh = data / f"{FILE}.tmp"
        fresh.write_text(self.model_dump_json(indent=1))
        fresh.replace(data / FILE)


def listing(folder: Path) -> str:
    """sha256 over path, size and time of change of each file under `folder`, in hex."""
    digest = hashlib.sha256()
    for path in sorted(Path(base, name) for base, _, names in os.walk(folder) for name in names):
        status = path.stat()
        line = f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
