"""Where a benchmark that trains for an hour keeps what it has done, to go on when it was cut off."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import ROOT, is_quick
from training.fitting import default_cache


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
