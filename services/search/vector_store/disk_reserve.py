"""Space that must stay free on a disk: the embedded engine maps its files, and a full disk kills the process."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from casekin.errors import StorageFull


@dataclass(frozen=True)
class DiskReserve:
    """A folder and how many bytes must stay free on its disk; 0 turns the check off."""

    folder: Path
    reserve_bytes: int

    def check(self) -> None:
        """Raise `StorageFull` if less is free."""
        if not self.reserve_bytes:
            return
        folder = next(path for path in (self.folder, *self.folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(folder).free
        if free < self.reserve_bytes:
            raise StorageFull(
                f"{free / 1e6:.0f} MB are free in {self.folder}; {self.reserve_bytes / 1e6:.0f} MB must stay free: "
                "free some space and send it again"
            )
