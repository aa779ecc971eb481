from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import kept as module
from benchmarks.kept import kept


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEKIN_TRAINING_DIR", str(tmp_path))
    monkeypatch.delenv("QUICK", raising=False)


def cut_off() -> Path:
    with suppress(KeyboardInterrupt), kept("sprites") as folder:
        (folder / "done").touch()
        raise KeyboardInterrupt
    return folder


def test_kept__gives_what_a_cut_off_run_left_and_leaves_nothing_at_the_end() -> None:
    left = cut_off()
    with kept("sprites") as folder:
        assert folder == left
        assert (folder / "done").exists()
    assert not left.exists()


def test_kept__begins_anew_once_the_training_code_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, content in (("benchmarks", "main = 1"), ("training", "rate = 1")):
        (tmp_path / part).mkdir(exist_ok=True)
        (tmp_path / part / "sprites.py").write_text(content)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    left = cut_off()
    (tmp_path / "training" / "sprites.py").write_text("rate = 2")
    with kept("sprites") as folder:
        assert folder != left
        assert not (folder / "done").exists()
        assert not left.exists()


def test_kept__begins_a_quick_run_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    left = cut_off()
    monkeypatch.setenv("QUICK", "1")
    with kept("sprites") as folder:
        assert not (folder / "done").exists()
    assert (left / "done").exists()
