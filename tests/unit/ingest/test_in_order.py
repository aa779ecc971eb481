"""Work in threads whose results come in order and which is bounded."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from casekin.ingest.pipeline import in_order


def test_in_order__results_keep_the_order_of_the_jobs() -> None:
    def work(job: int) -> int:
        time.sleep(0.01 * (job % 3))
        return job * job

    with ThreadPoolExecutor(4) as pool:
        assert list(in_order(pool, work, range(30), ahead=8)) == [i * i for i in range(30)]


def test_in_order__takes_no_more_than_ahead() -> None:
    taken = 0

    def jobs() -> Iterator[int]:
        nonlocal taken
        for job in range(1000):
            taken += 1
            yield job

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda job: job, jobs(), ahead=6)
        for _ in range(10):
            next(results)
        assert taken <= 10 + 6
        results.close()


def test_in_order__an_error_ends_it_and_starts_nothing_more() -> None:
    started = []
    hold = threading.Event()

    def work(job: int) -> int:
        started.append(job)
        if job == 0:
            raise ValueError("no")
        hold.wait(5)
        return job

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ValueError, match="no"):
            list(in_order(pool, work, range(100), ahead=10))
        hold.set()
    assert len(started) <= 4
