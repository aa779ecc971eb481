"""A lock between processes that its owner's end releases."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from casekin.file_lock import FileLock, is_locked

OWNER = """
import sys, time
from pathlib import Path
from casekin.file_lock import FileLock
assert FileLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_lock__of_another_process_ends_with_it(path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "locked\n"
        lock = FileLock(path)
        assert not lock.acquire()
        assert is_locked(path)
        assert lock.owner() == str(owner.pid)
    finally:
        owner.kill()
        owner.wait(10)
        if owner.stdout is not None:
            owner.stdout.close()
    assert not is_locked(path)
    assert lock.acquire()
    lock.release()


def test_acquire__waits_for_the_release(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    assert first.acquire()
    threading.Timer(0.1, first.release).start()
    assert not second.acquire(wait_s=0.01)
    with second:
        assert not first.acquire()
    first.release()
    assert not is_locked(path)


def test_owner__is_nobody_where_there_is_no_lock_yet(path: Path) -> None:
    assert FileLock(path).owner() == ""
    assert not is_locked(path)
    assert not path.exists()
