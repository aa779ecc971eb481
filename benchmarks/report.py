"""Prints figures and stores them beside what they were measured on.

A full run is stored in ``benchmarks/results/NAME.json``. A quick one (``QUICK=1``) is only printed: its figures are of
less work and not to be compared with those of a full run.
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
    """Whether ``QUICK`` asks for the smaller run."""
    return os.environ.get("QUICK", "") not in ("", "0")


def report(
    name: str, figures: Mapping[str, float], details: Mapping[str, float | str] | None = None, *, quick: bool
) -> None:
    """Print each figure as ``name: value``, details after them as comments, and store a full run."""
    rounded = {key: float(f"{value:.4g}") for key, value in figures.items()}
    for key, value in rounded.items():
        print(f"{key}: {value:g}")
    for key, detail in (details or {}).items():
        print(f"# {key}: {detail if isinstance(detail, str) else f'{detail:.4g}'}")
    if quick:
        print("# QUICK: not stored")
        return
    RESULTS.mkdir(exist_ok=True)
    record = {"figures": rounded, "details": dict(details or {}), **_circumstances()}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")


def _circumstances() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": cpu_model(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "quick": False,
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed_since_commit": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def cpu_model() -> str:
    """What the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
