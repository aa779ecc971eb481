"""Looks through the files of services that run meanwhile."""

from contextlib import suppress
from pathlib import Path


def files_with(folder: Path, *traces: bytes) -> list[str]:
    """Return the names of the files under `folder` that contain any of the traces; one removed meanwhile has none."""
    names = []
    for file in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError, IsADirectoryError):
            content = file.read_bytes()
            if any(trace in content for trace in traces):
                names.append(file.name)
    return names
