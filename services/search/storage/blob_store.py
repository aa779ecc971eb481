"""BlobStore under keys, in a folder or in object storage."""

import contextlib
import errno
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from casekin.atomic_files import link_all_durably, write_all_durably
from casekin.errors import CasekinError, Unavailable
from services.search.storage.shared_lock import CopiesLock, FolderLock, Lease

_TIMEOUTS: dict[str, dict[str, int]] = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20}}
"""Seconds, of one attempt; boto's own are 60."""


class BlobStore:
    """One fsspec URL; a key is a relative path. A blob is whole or absent, and durable when `write` returns.

    Every method raises `Unavailable` where the storage does not answer.
    """

    def __init__(self, url: str) -> None:
        """Open the storage at `url`: a path, ``file://``, ``s3://`` with s3fs installed, and the like."""
        options = _TIMEOUTS if url.startswith("s3://") else {}
        # other copies of the service write too, so that a listing must not be remembered
        self._fs, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        self._local = isinstance(self._fs, LocalFileSystem)

    def lock(self, key: str) -> CopiesLock:
        """A lock under `key` between all processes that use this storage."""
        path = f"{self._root}/{key}"
        if not self._local:
            lease = Lease(self._fs, path)
            with _faults():
                lease.warn_if_unconditional()
            return lease
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return FolderLock(Path(path))

    def write(self, key: str, data: bytes) -> None:
        """Store `data`, replacing what is there."""
        self.write_all({key: data})

    def write_all(self, blobs: Mapping[str, bytes]) -> None:
        """Store many; where one fails, some may be there and none is cut short."""
        paths = {f"{self._root}/{key}": data for key, data in blobs.items()}
        with _faults():
            if not self._local:
                self._fs.pipe(paths)  # object storage shows an object when it is whole
                return
            for folder in {Path(path).parent for path in paths}:
                folder.mkdir(parents=True, exist_ok=True)
            write_all_durably({Path(path): data for path, data in paths.items()})

    def copy(self, pairs: Mapping[str, str]) -> None:
        """Copy blobs that never change to other keys, durably; in a folder the copies are hard links.

        Raises `FileNotFoundError` where one is not there.
        """
        paths = {f"{self._root}/{key}": f"{self._root}/{copy}" for key, copy in pairs.items()}
        with _faults():
            if self._local:
                link_all_durably({Path(path): Path(copy) for path, copy in paths.items()})
            elif paths:
                self._fs.copy(list(paths), list(paths.values()))

    def read(self, key: str) -> bytes | None:
        """The bytes, or none."""
        try:
            with _faults():
                data = self._fs.cat_file(f"{self._root}/{key}")
        except FileNotFoundError:
            return None
        return bytes(data)

    def exists(self, key: str) -> bool:
        """Whether there is such a blob."""
        with _faults():
            return bool(self._fs.exists(f"{self._root}/{key}"))

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin with `prefix`, which names a folder and the beginning of a file."""
        folder, _, start = prefix.rpartition("/")
        try:
            with _faults():
                paths = self._fs.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        names = [str(path).rpartition("/")[2] for path in paths]
        # a name with a leading dot is a file that is being written, or that a crash left unfinished
        return [f"{folder}/{name}" for name in names if name.startswith(start) and not name.startswith(".")]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete blobs; keys that are not there are ignored."""
        for key in keys:
            with contextlib.suppress(FileNotFoundError), _faults():
                self._fs.rm_file(f"{self._root}/{key}")

    def delete_folder(self, folder: str) -> None:
        """Delete all blobs below a folder; does nothing where there is none."""
        with contextlib.suppress(FileNotFoundError), _faults():
            self._fs.rm(f"{self._root}/{folder}", recursive=True)


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    """Raise `Unavailable` for what the storage fails with: a client library's own errors, or the system's.

    A missing file and a full disk pass: callers know what they mean.
    """
    try:
        yield
    except (CasekinError, FileNotFoundError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _unavailable(error) from error
    except Exception as error:  # fsspec's drivers have errors of their own, without a common base
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"the image store does not answer ({type(error).__name__}: {error})", retry_after_s=5)
