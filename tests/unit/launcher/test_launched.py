"""The launcher over small real programs: order, crashes, ends of all kinds."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casekin.errors import Unavailable
from casekin.launcher.console import Terminal
from casekin.launcher.launch import launched
from casekin.launcher.processes import Part, Plan

Start = Callable[..., Any]
"""Starts a `Trial` of conftest.py."""


def test_parts_start_after_what_they_need_and_stop_before_it(trial: Start, serves: str) -> None:
    run = trial(f"page={serves}@store", f"store={serves}@redis", f"redis={serves}@").ready()
    assert run.ctrl_c() == 0
    assert [(what, name) for what, name, _ in run.events()] == [
        ("start", "redis"),
        ("start", "store"),
        ("start", "page"),
        ("stop", "page"),
        ("stop", "store"),
        ("stop", "redis"),
    ]
    assert run.alive() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_all_too(trial: Start, serves: str, number: int) -> None:
    run = trial(f"page={serves}@store", f"store={serves}@").ready()
    run.process.send_signal(number)
    assert run.process.wait(15) == 0
    assert [what for what, _, _ in run.events()] == ["start", "start", "stop", "stop"]


def test_ctrl_c_while_starting_leaves_nothing(trial: Start, serves: str) -> None:
    run = trial(f"store={serves}@", "page=import time; time.sleep(60)@store")
    run.until(lambda: len(run.pids()) == 1)
    assert run.ctrl_c() == 0
    assert "all ready" not in run.output
    run.until(lambda: not run.alive())


def test_a_part_that_does_not_stop_is_killed_with_its_children(trial: Start, serves: str) -> None:
    stubborn = serves.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    forks = stubborn.replace('note("start")', 'os.fork(); note("start")')
    run = trial(f"page={forks}@").ready()
    run.until(lambda: len(run.pids()) == 2)
    assert run.ctrl_c() == 0
    assert "killed after 2 s" in run.output
    run.until(lambda: not run.alive())


def test_second_ctrl_c_does_not_wait(trial: Start, serves: str) -> None:
    stubborn = serves.replace(
        "signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, lambda *_: note('stop'))"
    )
    run = trial(f"page={stubborn}@", f"store={stubborn}@").ready()
    os.killpg(run.process.pid, signal.SIGINT)
    run.until(lambda: "stop" in [what for what, _, _ in run.events()])
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.process.wait(1.5) == 0
    assert run.alive() == []


def test_a_crashed_part_is_named_and_started_again_alone(trial: Start, serves: str) -> None:
    run = trial(f"store={serves}@", f"page={serves}@store").ready()
    os.kill(run.pids("store")[0], signal.SIGKILL)
    run.until(lambda: len(run.pids("store")) == 2)
    run.until(lambda: run.output.count("store              ready") == 2)
    assert "store              crashed   was ended by signal 9; starting it again in 0.05 s" in run.output
    assert len(run.pids("page")) == 1
    assert run.pids("page")[0] in run.alive()


def test_a_part_that_crashes_at_once_is_given_up_with_the_end_of_its_log(trial: Start, serves: str) -> None:
    run = trial(f"store={serves}@", "page=print('the reason is here'); raise SystemExit(1)@store")
    assert run.process.wait(20) == 1
    assert run.output.count("page               crashed   ended with exit status 1; starting it again") == 2
    assert "page               given up  ended with exit status 1, 3 times in a row" in run.output
    assert "| the reason is here" in run.output
    assert str(run.data / "logs" / "page.log") in run.output
    assert "casekin: page cannot be started" in run.output
    assert run.alive() == []


def test_a_part_that_refuses_its_settings_is_not_tried_again(trial: Start) -> None:
    run = trial("page=import sys; sys.exit('casekin: no bundle') if 0 else (print('casekin: no bundle'), sys.exit(2))@")
    assert run.process.wait(20) == 1
    assert "page               given up  refuses to start" in run.output
    assert "crashed" not in run.output
    assert "| casekin: no bundle" in run.output


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    plan = Plan(parts=[Part("ghost", ["/no/such/program"], tmp_path / "ghost.log")], urls={})
    with pytest.raises(Unavailable, match="ghost cannot be started"), launched(tmp_path, lambda: plan, Terminal()):
        pass


def test_kill_9_of_the_launcher_leaves_no_orphan(trial: Start, serves: str) -> None:
    run = trial(f"store={serves}@", f"page={serves}@store").ready()
    run.process.kill()
    run.process.wait()
    run.until(lambda: not run.alive())
    assert [what for what, _, _ in run.events()] == ["start", "start", "stop", "stop"]


def test_a_start_after_kill_9_waits_for_what_is_still_stopping(trial: Start, serves: str, tmp_path: Path) -> None:
    slow = serves.replace("sys.exit(0)", "time.sleep(1.0); note('gone'); sys.exit(0)")
    first = trial(f"store={slow}@").ready()
    first.process.kill()
    first.process.wait()
    (first.data / "store.ready").unlink()
    second = trial(f"store={serves}@").ready()
    assert [what for what, _, _ in second.events()] == ["start", "stop", "gone", "start"]


def test_a_second_launcher_on_the_same_folder_says_who_holds_it(trial: Start, serves: str) -> None:
    first = trial(f"store={serves}@").ready()
    holder = first.process.pid
    second = trial(f"store={serves}@", data=first.data)
    assert second.process.wait(15) == 1
    assert f"{first.data} is in use by the launcher with process id {holder}" in second.output
    assert len(first.pids()) == 1
    assert first.alive() == first.pids()
