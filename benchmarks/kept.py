"""How a benchmark trains for an hour: side by side, and keeping what is done, to go on when it was cut off."""

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.places import ROOT
from benchmarks.report import is_quick
from training.fit.fit import default_cache

WORKERS = 2
"""Trainings side by side, each with one thread: two of small images then take three quarters of the time that they
take one after the other with two threads."""


def side_by_side() -> ProcessPoolExecutor:
    """Return processes to train in, which inherit nothing."""
    return ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))


@contextmanager
def kept(name: str) -> Iterator[Path]:
    """Give the folder that this benchmark's last run left when it was cut off; the end of a run removes it.

    It is another folder once the benchmark or anything of `training` changes, so that no figure is of two codes; what
    the code before has left is removed, as nothing would go on with it. A quick run begins anew each time.
    """
    if is_quick():
        with TemporaryDirectory() as passing:
            yield Path(passing)
        return
    folder = default_cache() / "benchmarks" / f"{name}-{_fingerprint(name)}"
    for left in set(folder.parent.glob(f"{name}-*")) - {folder}:
        shutil.rmtree(left)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def _fingerprint(name: str) -> str:
    sources = [ROOT / "benchmarks" / f"{name}.py", *sorted((ROOT / "training").rglob("*.py"))]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:12]
