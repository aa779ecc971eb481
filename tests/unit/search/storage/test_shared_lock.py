"""The lock between copies of the service: in a folder, and as a lease in object storage."""

import threading
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest
from structlog.testing import capture_logs

from casekin.errors import Unavailable
from services.search.storage.shared_lock import ChangeLock, CopiesLock, FolderLock, Lease

LEASE_S = 0.6


@pytest.fixture
def fs() -> Any:
    fs = fsspec.filesystem("memory", skip_instance_cache=True)
    fs.store = {}  # of this test alone
    fs.pseudo_dirs = [""]
    return fs


@pytest.fixture(params=["folder", "lease"])
def locks(request: pytest.FixtureRequest, fs: Any, tmp_path: Path) -> tuple[CopiesLock, CopiesLock]:
    """The same lock as two copies of the service have it."""
    if request.param == "folder":
        return FolderLock(tmp_path / "lock"), FolderLock(tmp_path / "lock")
    return Lease(fs, "/locks"), Lease(fs, "/locks")


def test_acquire__is_refused_while_another_copy_has_it(locks: tuple[CopiesLock, CopiesLock]) -> None:
    mine, theirs = locks
    for _ in range(3):
        assert mine.acquire(0)
        mine.check()
        assert not theirs.acquire(0)
        mine.release()
        assert theirs.acquire(0)
        assert not mine.acquire(0)
        theirs.release()


def test_acquire__waits_until_it_is_released(locks: tuple[CopiesLock, CopiesLock]) -> None:
    mine, theirs = locks
    assert mine.acquire(0)
    threading.Timer(0.1, mine.release).start()
    assert theirs.acquire(5)
    theirs.release()


def test_acquire__by_many_is_given_to_one_at_a_time(fs: Any) -> None:
    inside, most, done = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        lease = Lease(fs, "/locks")
        assert lease.acquire(30)
        inside += 1
        most = max(most, inside)
        time.sleep(0.005)
        inside -= 1
        lease.release()
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(done), most) == (8, 1)


def test_lease__of_a_dead_process_is_taken_over_after_its_time(fs: Any) -> None:
    fs.pipe_file("/locks/000000000007", b'{"owner": "dead"}')
    lease = Lease(fs, "/locks", LEASE_S)
    started = time.monotonic()
    assert lease.acquire(5)
    assert time.monotonic() - started > LEASE_S
    assert list(fs.ls("/locks", detail=False)) == ["/locks/000000000008"]
    lease.release()


def test_lease__of_a_living_process_is_never_taken_over(fs: Any) -> None:
    mine, theirs = Lease(fs, "/locks", LEASE_S), Lease(fs, "/locks", LEASE_S)
    assert mine.acquire(0)
    assert not theirs.acquire(3 * LEASE_S)
    mine.check()
    mine.release()


def test_lease__that_cannot_be_renewed_allows_no_further_write(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease(fs, "/locks", LEASE_S)
    assert lease.acquire(0)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the store is gone")

    with monkeypatch.context() as broken:
        broken.setattr(fs, "ls", fail)
        time.sleep(LEASE_S)
        with pytest.raises(Unavailable, match="another copy of search may write"):
            lease.check()
    lease.release()


def test_lease__made_below_the_highest_number_is_withdrawn(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that saw number 1 free and then slept while others made 2 and 3."""
    slow, quick = Lease(fs, "/locks"), Lease(fs, "/locks")
    highest = slow._highest

    def sleeps() -> tuple[int, bytes]:
        seen = highest()
        monkeypatch.setattr(slow, "_highest", highest)
        for _ in range(2):
            assert quick.acquire(0)
            quick.release()
        assert quick.acquire(0)
        return seen

    monkeypatch.setattr(slow, "_highest", sleeps)
    assert not slow.acquire(0)
    assert fs.ls("/locks", detail=False) == ["/locks/000000000003"]
    quick.release()


def test_lease__whose_making_was_answered_twice_is_mine(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to the first call was lost, and the client library called again."""
    lease, make = Lease(fs, "/locks"), fs.pipe_file

    def twice(path: str, data: bytes, mode: str = "overwrite") -> None:
        make(path, data, mode=mode)
        if mode == "create":
            make(path, data, mode=mode)

    monkeypatch.setattr(fs, "pipe_file", twice)
    assert lease.acquire(0)
    lease.release()


def test_change_lock__is_reentrant_and_says_who_keeps_it(tmp_path: Path) -> None:
    mine, theirs = (ChangeLock(FolderLock(tmp_path / "lock"), wait_s=0.05) for _ in range(2))
    with mine, mine, pytest.raises(Unavailable, match=r"another change .* has been running for 0\.05 seconds"):
        theirs.__enter__()
    with theirs:
        pass


def test_change_lock__makes_threads_wait_for_each_other(tmp_path: Path) -> None:
    lock, refused = ChangeLock(FolderLock(tmp_path / "lock"), wait_s=0.05), []

    def enter() -> None:
        try:
            lock.__enter__()
        except Unavailable as error:
            refused.append(error)

    with lock:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(5)
    assert len(refused) == 1


def test_store__that_overwrites_in_spite_of_the_condition_is_named(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, make = Lease(fs, "/locks"), fs.pipe_file
    with capture_logs() as logs:
        lease.warn_if_unconditional()
        assert logs == []
        monkeypatch.setattr(fs, "pipe_file", lambda path, data, mode="overwrite": make(path, data))
        lease.warn_if_unconditional()
    assert [line["event"] for line in logs] == [
        "the image store ignores conditional writes: run one copy of search only"
    ]
    assert fs.find("/") == []
