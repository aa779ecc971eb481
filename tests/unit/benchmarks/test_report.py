"""Stored figures can be repeated: they are of code that a commit holds."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import report as module
from benchmarks.places import ROOT

STORED = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
STALE = {"faults-jobs", "search"}
"""Measured before uncommitted code was refused; a new run takes its name off this list."""


def _git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which `report` takes for its own."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "code.py").write_text("rate = 1\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message", "First")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "benchmarks" / "results")
    return tmp_path


def test_report__stores_a_run_under_its_commit(checkout: Path) -> None:
    for name in ("one", "two"):  # the first result does not make the tree of the second unclean
        module.report(name, {"ms": 1.23456}, quick=False)
        stored = json.loads((module.RESULTS / f"{name}.json").read_text())
        assert (stored["commit"], stored["figures"]) == (_git(checkout, "rev-parse", "HEAD"), {"ms": 1.235})


@pytest.mark.parametrize("file", ["code.py", "new.py"])
def test_report__does_not_store_a_run_of_uncommitted_code(
    checkout: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    (checkout / file).write_text("rate = 2\n")
    module.report("one", {"ms": 1.0}, quick=False)
    assert not list(module.RESULTS.iterdir())
    said = capsys.readouterr().out
    assert "ms: 1" in said
    assert "NOT STORED" in said
    assert file in said


def test_report__does_not_store_a_run_outside_of_git(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / ".git").rename(checkout / "elsewhere")
    module.report("one", {"ms": 1.0}, quick=False)
    assert not list(module.RESULTS.iterdir())
    assert "no git checkout" in capsys.readouterr().out


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=pytest.mark.xfail(strict=True, reason="run it again")) if file.stem in STALE else file
        for file in STORED
    ],
    ids=lambda file: file.stem,
)
def test_stored_results__name_a_commit_of_this_history_and_a_clean_tree(file: Path) -> None:
    if not (ROOT / ".git").exists() or _git(ROOT, "rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("needs the whole history")
    stored = json.loads(file.read_text())
    assert not stored.get("changed_since_commit", False)
    assert stored["quick"] is False
    _git(ROOT, "cat-file", "-e", f"{stored['commit']}^{{commit}}")
