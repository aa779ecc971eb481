"""Where a collection lies: a folder or zip on this machine, or a prefix of object storage, through fsspec."""

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.core import split_protocol
from upath import UPath

from casekin.collections.text import printable
from casekin.errors import BadInput, CasekinError, Unavailable

Location = Path | UPath
"""A `Path` wherever it is on a disk of this machine."""
_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)


def location_of(where: str) -> Location:
    """The location of a path or of a URL that fsspec knows (``s3://bucket/prefix`` with s3fs installed)."""
    protocol, path = split_protocol(where)
    if protocol in (None, "file"):
        return Path(path)
    return UPath(where, use_listings_cache=False)  # a worker lives long, and objects come and go meanwhile


def why(error: OSError) -> str:
    """The reason of a failed file operation in words."""
    if isinstance(error, FileNotFoundError):
        return "it is gone"
    return error.strerror or str(error)


@contextmanager
def store_errors(location: Location) -> Iterator[None]:
    """Turn errors of a store into `Unavailable`, or into `BadInput` where it refuses access.

    Errors of a single file pass as they are: `FileNotFoundError`, `BadZipFile`, and on a local disk every `OSError`
    but that of too many open files, which would meet every other file as well.
    """
    try:
        yield
    except (CasekinError, FileNotFoundError, zipfile.BadZipFile):
        raise
    except Exception as error:  # each file system of fsspec has errors of its own
        if isinstance(location, Path):
            if isinstance(error, OSError) and error.errno in _TOO_MANY_OPEN:
                raise Unavailable(f"{printable(location)} cannot be opened: {why(error)}") from error
            raise
        if isinstance(error, PermissionError):
            raise BadInput(
                f"{printable(location)} may not be read: {error}; check the keys that the worker was given"
            ) from error
        raise Unavailable(f"the store of {printable(location)} does not answer: {error}") from error
