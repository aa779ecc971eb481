import pytest

from services.ui.presentation import texts


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"),
        (0.004, "< 1 %"),
        (0.01, "1 %"),
        (0.784, "78 %"),
        (0.996, "> 99 %"),
        (1 - 1e-12, "100 %"),
        (1.0, "100 %"),
    ],
)
def test_percent(share: float, said: str) -> None:
    assert texts.percent(share) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(30, 60, "30 to 60 years"), (30, None, "from 30 years"), (None, 60, "to 60 years"), (0, 0, "0 to 0 years")],
)
def test_ages(low: float | None, high: float | None, said: str) -> None:
    assert texts.ages(low, high) == said


def test_found__says_of_how_many() -> None:
    assert texts.found(12, 8470, False) == "12 nearest matches of 8,470 cases in the collection"
    assert texts.found(0, 0, True) == "No matches"
    assert texts.found(1, 1, True) == "1 nearest match of 1 case that passes the filters"


@pytest.mark.parametrize(
    ("parts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listed(parts: list[str], said: str) -> None:
    assert texts.listed(parts) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (0.2, "about 1 s left"), (59.6, "about 60 s left"), (150, "about 2 min left")]
)
def test_remaining(seconds: float | None, said: str) -> None:
    assert texts.remaining(seconds) == said
