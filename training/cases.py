"""The table of HAM10000 with its folds, as typed rows."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelledCase:
    """One image with what training needs to know of it."""

    id: str
    lesion: str
    """Images of one lesion share it; it never crosses folds."""
    diagnosis: str
    fold: int
    evidence: str = ""
    """How the diagnosis was confirmed; empty where the table does not say, as in the next three."""
    age: float | None = None
    """Years."""
    sex: str = ""
    site: str = ""
    """Of the body."""


def read_cases(folder: Path) -> list[LabelledCase]:
    """Read `HAM10000_metadata.tab` (or `.csv`) and `folds.csv` of a folder, ordered by image id.

    Raises ValueError where a lesion has images in two folds.
    """
    folds = {row["image_id"]: int(row["fold"]) for row in _rows(folder / "folds.csv")}
    table = next((folder / f"HAM10000_metadata{end}" for end in (".tab", ".csv", "") if _is_there(folder, end)), None)
    if table is None:
        raise FileNotFoundError(f"{folder} has no HAM10000_metadata.tab or .csv")
    cases = [
        LabelledCase(
            id=row["image_id"],
            lesion=row["lesion_id"],
            diagnosis=row["dx"],
            fold=folds[row["image_id"]],
            evidence=_told(row["dx_type"]),
            age=float(row["age"]) if _told(row["age"]) else None,
            sex=_told(row["sex"]),
            site=_told(row["localization"]),
        )
        for row in _rows(table)
        if row["image_id"] in folds
    ]
    refuse_leaks(cases)
    return sorted(cases, key=lambda case: case.id)


def refuse_leaks(cases: Sequence[LabelledCase]) -> None:
    """Raise ValueError if a lesion has images in two folds: its sibling would be found instead of its kind."""
    seen: dict[str, int] = {}
    for case in cases:
        if seen.setdefault(case.lesion, case.fold) != case.fold:
            raise ValueError(f"lesion {case.lesion} is in folds {seen[case.lesion]} and {case.fold}; it must be in one")


def in_folds(cases: Sequence[LabelledCase], folds: Sequence[int]) -> list[int]:
    """Return the positions of the cases whose fold is among `folds`."""
    return [position for position, case in enumerate(cases) if case.fold in folds]


def vocabulary(cases: Sequence[LabelledCase]) -> list[str]:
    """Return the diagnoses in alphabetical order: the order of the head's outputs."""
    return sorted({case.diagnosis for case in cases})


def _told(entry: str) -> str:
    return "" if entry in ("unknown", "NA") else entry


def _is_there(folder: Path, end: str) -> bool:
    return (folder / f"HAM10000_metadata{end}").is_file()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        header = lines.readline()
        lines.seek(0)
        yield from csv.DictReader(lines, delimiter="\t" if "\t" in header else ",")
