"""Files that a reader sees whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from casekin.errors import StorageFull


def replace_file(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what `write` writes in the place of `file`, durably; raises `StorageFull` and then leaves nothing."""
    with _room(file):
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                write(stream)
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
