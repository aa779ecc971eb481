"""The history of a name, and what may be a name."""

from datetime import UTC, datetime

import pytest

from casekin.contracts.names import NameChange, NameHistory
from casekin.errors import BadInput
from services.ui.rollouts.dimension_names import valid_name
from services.ui.rollouts.dimension_names_layout import name_history
from tests.unit.ui.conftest import every, sent, text_of
from tests.unit.ui.page.test_layout import VOCABULARY


def test_history__says_who_when_and_what_was_taken_back() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    given = NameChange(dimension=3, name="Size", before="Dimension 4", by="dr.lee", at=at, undo=False)
    taken = NameChange(dimension=3, name="Dimension 4", before="Size", by="dr.may", at=at, undo=True)
    lines = every(sent(name_history(NameHistory(default="Dimension 4", changes=[taken, given]), VOCABULARY)), "Li")
    assert [text_of({"props": line}) for line in lines] == [
        "dr.may  undid Size, back to Dimension 4,  2026-11-22 12:00 UTC",
        "dr.lee  renamed Dimension 4 to Size,  2026-11-22 12:00 UTC",
    ]


def test_history__of_a_name_that_nobody_changed_tells_the_models() -> None:
    told = text_of(sent(name_history(NameHistory(default="Dimension 4", changes=[]), VOCABULARY)))
    assert told == "The model's own name, Dimension 4, has not been changed."


def test_history__gives_the_evidence_for_the_models_own_name() -> None:
    shown = text_of(sent(name_history(NameHistory(default="Size", changes=[]), VOCABULARY, "Evidence: much.")))
    assert shown == "The model's own name, Size, has not been changed. Evidence: much."


def test_name__is_one_line_without_space_around_it() -> None:
    assert valid_name("  Width of the border ") == "Width of the border"


@pytest.mark.parametrize("text", ["", "  ", "x" * 61, "two\nlines"])
def test_name__that_is_none_is_said_before_it_is_sent(text: str) -> None:
    with pytest.raises(BadInput, match="1 to 60 characters"):
        valid_name(text)


def test_history__names_diagnoses_by_the_collections_vocabulary() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    change = NameChange(dimension=3, name="Towards mel", before="Towards xyz", by="dr.lee", at=at, undo=False)
    text = text_of(sent(name_history(NameHistory(default="Towards mel", changes=[change]), VOCABULARY)))
    assert "renamed Towards xyz to Melanoma-like" in text
