"""Long trainings of benchmarks: two processes, and a folder that an interrupted run resumes from."""

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
"""Trainings side by side, each with one thread: on small images that takes three quarters of the time of one after the
other with two threads."""


def side_by_side() -> ProcessPoolExecutor:
    """Return a pool of spawned processes to train in."""
    return ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))


@contextmanager
def kept(name: str) -> Iterator[Path]:
    """Yield the folder that an interrupted run of this benchmark left; a complete run removes it.

    The folder is named by the code of the benchmark and of `training`, so that no figure mixes two versions; folders of
    other versions are removed. A quick run starts from nothing.
    """
    if is_quick():
        with TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = default_cache() / "benchmarks" / f"{name}-{_fingerprint(name)}"
    for stale in set(folder.parent.glob(f"{name}-*")) - {folder}:
        shutil.rmtree(stale)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def _fingerprint(name: str) -> str:
    sources = [ROOT / "benchmarks" / f"{name}.py", *sorted((ROOT / "training").rglob("*.py"))]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:12]
