"""Print figures and store them with machine, date and commit.

A full run of committed code is stored in ``benchmarks/results/NAME.json``. A quick one (``QUICK=1``) is only printed:
its figures are of less work and not to be compared with those of a full run.
"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.places import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def is_quick() -> bool:
    """Return whether ``QUICK`` selects the smaller run."""
    return os.environ.get("QUICK", "") not in ("", "0")


def report(
    name: str, figures: Mapping[str, float], details: Mapping[str, float | str] | None = None, *, quick: bool
) -> None:
    """Print each figure as ``name: value``, details after them as comments, and store a full run.

    A run whose code is in no commit is printed and not stored: nobody could repeat it.
    """
    rounded = {key: float(f"{value:.4g}") for key, value in figures.items()}
    for key, value in rounded.items():
        print(f"{key}: {value:g}")
    for key, detail in (details or {}).items():
        print(f"# {key}: {detail if isinstance(detail, str) else f'{detail:.4g}'}")
    if quick:
        print("# QUICK: not stored")
        return
    if (commit := committed()) is None:
        print(f"# NOT STORED: {'; '.join(uncommitted()) or 'this is no git checkout'}: commit first, then run again")
        return
    RESULTS.mkdir(exist_ok=True)
    record = {"figures": rounded, "details": dict(details or {}), **_circumstances(), "commit": commit}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")


def committed() -> str | None:
    """Return the commit that holds all code of this run; None where files differ from it or there is no git."""
    return None if uncommitted() else _git("rev-parse", "HEAD")


def uncommitted() -> list[str]:
    """Return the files that differ from the last commit, new ones too; stored results of other benchmarks may."""
    changed = _git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/results")
    return [line.strip() for line in (changed or "").splitlines()]


def _circumstances() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": cpu_model(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "quick": False,
    }


def cpu_model() -> str:
    """Return the processor's name as Linux reports it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
