import os
from pathlib import Path

import pytest

from casekin.errors import Conflict, Unavailable
from casekin.launcher.state import forget_running, running, take_lock, write_running


def test_running__tells_the_urls_while_the_lock_is_held(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    write_running(tmp_path, {"search": "http://127.0.0.1:4711"})
    found = running(tmp_path)
    assert found is not None
    assert found.pid == os.getpid()
    assert found.url("search") == "http://127.0.0.1:4711"
    with pytest.raises(Unavailable, match="ui was not launched; running are search"):
        found.url("ui")
    lock.release()
    assert running(tmp_path) is None, "a file that a killed launcher left says nothing"


def test_running__nothing_after_a_tidy_end_or_before_any_start(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    lock = take_lock(tmp_path)
    write_running(tmp_path, {})
    forget_running(tmp_path)
    assert running(tmp_path) is None
    lock.release()


def test_running__a_damaged_file_is_no_state(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    (tmp_path / "running.json").write_text("{")
    assert running(tmp_path) is None
    lock.release()


def test_take_lock__a_living_holder_is_named_at_once(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    with pytest.raises(Conflict, match=rf"process id {os.getpid()}.*--data"):
        take_lock(tmp_path)
    lock.release()
    take_lock(tmp_path).release()
