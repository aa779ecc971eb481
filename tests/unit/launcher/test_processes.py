import subprocess
import sys
from pathlib import Path

from casekin.launcher.processes import Child, Part, bound_log


def test_bound_log__the_writer_goes_on_in_the_emptied_file(tmp_path: Path) -> None:
    log = tmp_path / "encoder.log"
    writes = "import sys\nfor line in sys.stdin: print(line.strip() * 100, flush=True)"
    with log.open("ab") as file:
        child = subprocess.Popen([sys.executable, "-c", writes], stdin=subprocess.PIPE, stdout=file, text=True)
    assert child.stdin is not None
    child.stdin.write("a\n")
    child.stdin.flush()
    while not log.stat().st_size:
        pass
    bound_log(log, limit=50)
    assert log.stat().st_size == 0
    child.communicate("b\n")
    assert log.read_text() == "b" * 100 + "\n"
    assert (tmp_path / "encoder.log.1").read_text() == "a" * 100 + "\n"


def test_bound_log__a_small_one_stays(tmp_path: Path) -> None:
    log = tmp_path / "encoder.log"
    log.write_text("short\n")
    bound_log(log, limit=50)
    bound_log(tmp_path / "missing.log", limit=50)
    assert log.read_text() == "short\n"
    assert not (tmp_path / "encoder.log.1").exists()


def test_child__secrets_go_by_standard_input_and_settings_by_environment(tmp_path: Path) -> None:
    shows = "import os, sys; print(sys.stdin.read(), os.environ['CASEKIN_DATA'], os.environ['PATH'] != '')"
    part = Part(
        "shows", [sys.executable, "-c", shows], tmp_path / "log", environment={"CASEKIN_DATA": "here"}, stdin=b"secret"
    )
    child = Child(part)
    assert child.end(within_s=10)
    assert child.last_lines() == ["secret here True"]


def test_child__last_lines_are_of_this_start_only(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier start\n")
    part = Part("counts", [sys.executable, "-c", "for i in range(20): print(i)"], log)
    child = Child(part)
    child.end(within_s=10)
    assert child.last_lines(3) == ["17", "18", "19"]
    assert "earlier" not in "".join(child.last_lines(100))
