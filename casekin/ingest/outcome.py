"""What became of each image."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The three ways it can end."""

    INGESTED = "ingested"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """What became of one image, for the report."""

    id: str
    """Of the case, or the file where there is none."""
    kind: Kind
    code: str = ""
    """Why it was skipped, in one word; empty otherwise."""
    reason: str = ""
    """In words: why it was skipped, or what was odd about it."""


@dataclass
class Summary:
    """How many ended how."""

    counts: Counter[Kind] = field(default_factory=Counter)
    skipped_by_code: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.counts[outcome.kind] += 1
        if outcome.kind is Kind.SKIPPED:
            self.skipped_by_code[outcome.code] += 1

    @property
    def done(self) -> int:
        """How many ended."""
        return self.counts.total()
