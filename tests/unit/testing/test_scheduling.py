"""Which tests `make test` keeps in one process."""

import pytest
from xdist.remote import Producer

from tests.conftest import TogetherScheduling, pytest_xdist_make_scheduler


class Config:
    """What the scheduler reads of pytest's configuration."""

    def __init__(self, dist: str) -> None:
        self._dist = dist

    def getoption(self, name: str) -> str:
        assert name == "dist"
        return self._dist

    def getvalue(self, name: str) -> list[str]:
        assert name == "tx"
        return ["popen"]


def test_scheduling__files_stay_whole_and_the_browsers_files_together() -> None:
    scheduler = pytest_xdist_make_scheduler(Config("loadfile"), Producer("test"))  # type: ignore[arg-type]
    assert isinstance(scheduler, TogetherScheduling)
    files = ("tests/e2e/test_a.py", "tests/e2e/test_b.py", "tests/unit/test_a.py", "tests/unit/test_b.py")
    scopes = [scheduler._split_scope(f"{file}::{test}") for file in files for test in ("test_x", "test_y[1]")]
    assert scopes == ["tests/e2e"] * 4 + [files[2]] * 2 + [files[3]] * 2


@pytest.mark.parametrize("dist", ["load", "loadscope", "worksteal"])
def test_scheduling__another_way_to_distribute_is_left_alone(dist: str) -> None:
    assert pytest_xdist_make_scheduler(Config(dist), Producer("test")) is None  # type: ignore[arg-type]
