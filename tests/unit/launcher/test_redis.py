import os
import sys
from pathlib import Path

import pytest
import redis as client

from casekin.launcher import redis
from casekin.launcher.ports import free_port
from casekin.launcher.processes import Child, Part


def part(folder: Path, port: int, password: str) -> Part:
    return Part(
        "redis",
        [str(redis.server_binary()), "-"],
        folder / "redis.log",
        stdin=redis.config(port=port, folder=folder, password=password),
        ready=lambda: redis.answers(port, password),
    )


def wait_ready(child: Child) -> None:
    while not child.part.ready():
        assert child.status() is None, child.last_lines()


def test_server__keeps_what_was_written_and_asks_for_the_password(tmp_path: Path) -> None:
    port = free_port()
    first = Child(part(tmp_path, port, "correct-horse"))
    wait_ready(first)
    assert not redis.answers(port, "wrong")
    client.Redis(port=port, password="correct-horse").set("job", "accepted")
    first.ask_to_stop()
    assert first.end(within_s=10)
    assert not redis.answers(port, "correct-horse")

    second = Child(part(tmp_path, port, "another-battery"))
    wait_ready(second)
    assert client.Redis(port=port, password="another-battery").get("job") == b"accepted"
    second.end(within_s=0)


def test_password__is_on_no_command_line(tmp_path: Path) -> None:
    port = free_port()
    child = Child(part(tmp_path, port, "correct-horse"))
    wait_ready(child)
    if sys.platform == "linux":
        assert b"correct-horse" not in Path(f"/proc/{child.pid}/cmdline").read_bytes()
    child.end(within_s=0)


@pytest.mark.parametrize(
    "name", ['a "quote"', "back\\slash", "größe (2)", "a\nb", "#{x} $y", os.fsdecode(b"gr\xf6\xdfe")]
)
def test_server__starts_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    port = free_port()
    child = Child(part(folder, port, "correct-horse"))
    wait_ready(child)
    client.Redis(port=port, password="correct-horse").set("job", "accepted")
    child.ask_to_stop()
    assert child.end(within_s=10)
    assert (folder / "appendonlydir").is_dir()
