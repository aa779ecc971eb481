"""Mutation score of the code that must not be wrong in silence: retrieval, the life of jobs, and ingest.

mutmut changes the code in one place at a time (a comparison, a number, an argument, a condition) and runs the tests
that reach that place; a change that no test notices survives. A room's score is the share of changes that are killed:
a test fails, or the run takes over ten times as long as it should. What no test of the room reaches counts as
surviving.

Each room runs its own fast tests, listed in ``ROOMS``; the slow journeys would kill more and take hours. Survivors are
written to ``artefacts/mutation-ROOM.txt``. QUICK=1: one file a room. ``ARGS=ingest`` runs one room and stores nothing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import ROOT
from benchmarks.report import is_quick, report

ALSO_NEEDED = ("casekin", "services", "training", "bundles", "deploy", "benchmarks", "Makefile")
"""What the tests import or read beside the mutated room."""


@dataclass(frozen=True)
class Room:
    """One package, the tests that are to notice its faults, and the file of it that a quick run takes."""

    source: str
    tests: tuple[str, ...]
    quick: str


ROOMS = {
    "retrieval": Room(
        "services/search/retrieval",
        ("tests/unit/search/retrieval", "tests/integration/search/test_search_exact.py"),
        "mmr.py",
    ),
    "jobs": Room("services/projector/jobs", ("tests/unit/projector/jobs",), "progress.py"),
    "ingest": Room("casekin/ingest", ("tests/unit/ingest",), "storing.py"),
}


@dataclass(frozen=True)
class Score:
    """How many changes were made, how many were killed, and the names of the others."""

    made: int
    killed: int
    survivors: list[str]


def main(names: Sequence[str]) -> None:
    """Measure all rooms, or those in `names`."""
    scores = {name: measure(name, ROOMS[name], quick=is_quick()) for name in names or ROOMS}
    figures = {f"{name}_killed_share": score.killed / max(score.made, 1) for name, score in scores.items()}
    details: dict[str, float | str] = {}
    for name, score in scores.items():
        details |= {f"{name}_changes": score.made, f"{name}_survivors": len(score.survivors)}
    report("mutation", figures, details, quick=is_quick() or bool(names))


def measure(name: str, room: Room, *, quick: bool) -> Score:
    """Mutate a copy of the working tree's tracked files; mutmut rewrites its folder and reads its settings there."""
    with tempfile.TemporaryDirectory(prefix="casekin-mutation-") as scratch:
        copy = Path(scratch)
        _copy_tracked(copy)
        _configure(copy, room, quick=quick)
        log = ROOT / "artefacts" / f"mutation-{name}.log"
        log.parent.mkdir(exist_ok=True)
        mutmut = [str(Path(sys.executable).with_name("mutmut"))]
        with log.open("w") as sink:
            subprocess.run([*mutmut, "run"], cwd=copy, stdout=sink, stderr=subprocess.STDOUT, check=True)
        listed = subprocess.run(
            [*mutmut, "results", "--all", "true"], cwd=copy, capture_output=True, text=True, check=True
        )
        stats = subprocess.run([*mutmut, "export-cicd-stats"], cwd=copy, capture_output=True, text=True, check=True)
        counts: dict[str, int] = json.loads((copy / "mutants" / "mutmut-cicd-stats.json").read_text())
        if not counts["total"]:
            raise RuntimeError(f"mutmut changed nothing in {room.source}: {stats.stdout}{listed.stdout}")
        outcomes = dict(line.strip().split(": ", 1) for line in listed.stdout.splitlines() if ": " in line)
        survivors = sorted(mutant for mutant, outcome in outcomes.items() if outcome not in ("killed", "timeout"))
        (ROOT / "artefacts" / f"mutation-{name}.txt").write_text("\n".join(survivors) + "\n")
        return Score(counts["total"], counts["killed"] + counts["timeout"], survivors)


def _copy_tracked(target: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # a file may be deleted and not yet committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())


def _configure(copy: Path, room: Room, *, quick: bool) -> None:
    files = f"{room.source}/{room.quick if quick else '*.py'}"
    lines = [
        "[tool.mutmut]",
        f"source_paths = {json.dumps([room.source])}",
        f"only_mutate = {json.dumps([files])}",
        f"also_copy = {json.dumps(ALSO_NEEDED)}",
        'pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]',
        f"pytest_add_cli_args_test_selection = {json.dumps(room.tests)}",
        "use_git_change_detection = false",
    ]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
