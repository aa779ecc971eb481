"""Which tests `make test` keeps in one process, and which it begins with."""

from types import SimpleNamespace

import pytest
from xdist.remote import Producer

from tests.conftest import JOURNEY, LONGEST, ROOT, TogetherScheduling, pytest_xdist_make_scheduler


class Config:
    """What the scheduler reads of pytest's configuration."""

    def __init__(self, dist: str) -> None:
        self._dist = dist
        self.option = SimpleNamespace(loadscopereorder=True)

    def getoption(self, name: str) -> str:
        assert name == "dist"
        return self._dist

    def getvalue(self, name: str) -> list[str]:
        assert name == "tx"
        return ["popen"]


def test_scheduling__files_stay_whole_and_the_browsers_together_but_for_the_journey() -> None:
    scheduler = pytest_xdist_make_scheduler(Config("loadfile"), Producer("test"))  # type: ignore[arg-type]
    assert isinstance(scheduler, TogetherScheduling)
    files = ("tests/e2e/test_a.py", "tests/e2e/test_b.py", JOURNEY, "tests/unit/test_b.py")
    scopes = [scheduler._split_scope(f"{file}::{test}") for file in files for test in ("test_x", "test_y[1]")]
    assert scopes == ["tests/e2e"] * 4 + [files[2]] * 2 + [files[3]] * 2


@pytest.mark.parametrize("dist", ["load", "loadscope", "worksteal"])
def test_scheduling__another_way_to_distribute_is_left_alone(dist: str) -> None:
    assert pytest_xdist_make_scheduler(Config(dist), Producer("test")) is None  # type: ignore[arg-type]


class Node:
    """One of the test processes: notes what it is sent."""

    shutting_down = False

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_scheduling__begins_with_what_takes_longest() -> None:
    scheduler = pytest_xdist_make_scheduler(Config("loadfile"), Producer("test"))  # type: ignore[arg-type]
    assert scheduler is not None
    node = Node()
    long, longer = f"{LONGEST[2]}::test_x", f"{LONGEST[1]}/test_a.py::test_x"
    tests = [*(f"tests/test_many.py::test_{number}" for number in range(5)), long, longer]
    scheduler.add_node(node)  # type: ignore[arg-type]
    scheduler.add_node_collection(node, tests)  # type: ignore[arg-type]
    scheduler.schedule()
    assert [tests[index] for index in node.sent[:2]] == [longer, long]


def test_scheduling__knows_no_file_that_is_gone() -> None:
    assert [scope for scope in LONGEST if not (ROOT / scope).exists()] == []
