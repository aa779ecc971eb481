"""Stages of progress."""

import pytest

from casekin.contracts.projector import Progress
from services.projector.jobs.progress import Stage


def test_stage__fills_its_share_of_the_whole() -> None:
    seen: list[Progress] = []
    stage = Stage(seen.append, 0.2, 0.6, lambda done, total: f"{done} of {total}")
    for done in (0, 1, 2, 4):
        stage(done, 4)
    assert [progress.fraction for progress in seen] == pytest.approx([0.2, 0.3, 0.4, 0.6])
    assert [progress.message for progress in seen] == ["0 of 4", "1 of 4", "2 of 4", "4 of 4"]
    assert {progress.remaining_s for progress in seen} == {None}


def test_stage__that_is_the_last_estimates_what_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 140.0])
    monkeypatch.setattr("services.projector.jobs.progress.time.monotonic", lambda: next(clock))
    seen: list[Progress] = []
    stage = Stage(seen.append, 0.0, 1.0, lambda _done, _total: "", last=True)
    stage(0, 4)
    stage(1, 4)
    stage(4, 4)
    assert [progress.remaining_s for progress in seen] == [None, 30.0, 0.0]


def test_stage__with_nothing_to_do_is_done() -> None:
    seen: list[Progress] = []
    Stage(seen.append, 0.0, 0.5, lambda _done, _total: "")(0, 0)
    assert seen[0].fraction == 0.5
