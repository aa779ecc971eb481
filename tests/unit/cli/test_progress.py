"""Progress off a terminal: some lines, not one per piece."""

import pytest
from rich.console import Console

from casekin.cli.terminal import progress as module
from casekin.cli.terminal.progress import PlainMeter, progress


def test_plain_meter__of_nothing_to_do_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    meter = PlainMeter("x", 0)
    for done in (0, 0, 1):
        meter(done)
    assert capsys.readouterr().err == ""


def test_plain_meter__writes_the_end_once(capsys: pytest.CaptureFixture[str]) -> None:
    meter = PlainMeter("x", 2)
    for done in (1, 2, 2, 3):
        meter(done)
    assert capsys.readouterr().err.count("x: 2 of 2, ") == 1


def test_plain_meter__writes_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = PlainMeter("x", 1000)
    for done in range(1, 101):
        now[0] += 1
        meter(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"x: {done} of 1000, 1.0/s, {1000 - done} s left" for done in range(10, 101, 10)]


def test_progress__takes_a_title_that_looks_like_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(force_terminal=True, width=80, record=True)
    monkeypatch.setattr(module, "Console", lambda **_: console)
    with progress("Clinic [/red] [bold]", 3) as meter:
        meter(3)
    assert "Clinic [/red] [bold]" in console.export_text()
