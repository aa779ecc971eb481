"""A mark that changes with every deletion of a case: what was computed before it must not be kept after it."""

from pathlib import Path
from uuid import uuid4

from casekin.atomic_files import write_durably


class DeletionMark:
    """One token in a file that the API and all workers share."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "deletion-mark"

    def read(self) -> str:
        """The token; empty before the first deletion."""
        try:
            return self._file.read_text()
        except FileNotFoundError:
            return ""

    def renew(self) -> None:
        """Change the token; raises `StorageFull`."""
        write_durably(self._file, uuid4().hex.encode())
