"""Where a collection lies: a folder, or a prefix of object storage that is read as one, through fsspec."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.core import split_protocol
from upath import UPath

from casekin.errors import BadInput, CasekinError, Unavailable

Place = Path | UPath
"""A `Path` wherever it is on a disk of this machine."""


def place_at(where: str) -> Place:
    """The place at a path or a URL that fsspec knows (``s3://bucket/prefix`` with s3fs installed)."""
    protocol, path = split_protocol(where)
    if protocol in (None, "file"):
        return Path(path)
    return UPath(where, use_listings_cache=False)  # a worker lives long, and objects come meanwhile


def inside(place: Place, folder: Place) -> str:
    """The rest of the path below `folder`."""
    return str(place).removeprefix(str(folder)).lstrip("/\\")


@contextmanager
def answering(place: Place) -> Iterator[None]:
    """Turn what a store raises into `Unavailable`, or `BadInput` where it refuses.

    That an object is missing or no zip is the object's fault and raised as it is.
    """
    if isinstance(place, Path):
        yield
        return
    try:
        yield
    except (CasekinError, FileNotFoundError, zipfile.BadZipFile):
        raise
    except PermissionError as error:
        raise BadInput(f"{place} may not be read: {error}; check the keys that the worker was given") from error
    except Exception as error:  # each file system of fsspec has errors of its own
        raise Unavailable(f"the store of {place} does not answer: {error}") from error
