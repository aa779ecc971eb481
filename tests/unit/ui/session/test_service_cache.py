import threading
import time

import pytest

from casekin.errors import Unavailable
from services.ui.session.service_cache import Remembered


def test_remembered__is_asked_for_once_in_its_time_and_again_after() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(len(asked))
        return asked[-1]

    held = Remembered(ask, seconds=0.05)
    assert [held.get(), held.get()] == [0, 0]
    time.sleep(0.06)
    assert held.get() == 1
    held.forget()
    assert held.get() == 2


def test_remembered__many_threads_cause_one_question() -> None:
    asked: list[None] = []

    def ask() -> int:
        asked.append(None)
        time.sleep(0.05)
        return 7

    held = Remembered(ask, seconds=10)
    threads = [threading.Thread(target=held.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_remembered__a_failure_is_not_remembered() -> None:
    answers = iter([Unavailable("away"), 3])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    held = Remembered(ask, seconds=10)
    with pytest.raises(Unavailable):
        held.get()
    assert held.get() == 3
