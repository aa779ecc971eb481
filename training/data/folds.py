"""Assign cases to folds, by `folds.csv` or else by a hash that does not change when images are added."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casekin.collections import FOLDS_FILE, Row, Table, read_table
from casekin.errors import BadInput

ID_COLUMNS = ("image_id", "isic_id", "id")
FOLD_COLUMN = "fold"


@dataclass(frozen=True)
class Folding:
    """Lesion and fold of one case."""

    lesion: str
    """Id of the lesion, or else of the patient, or else of the image."""
    number: int
    """Of the fold, from 0."""


def assigned(folder: Path, rows: Sequence[Row], folds: int) -> dict[str, Folding]:
    """Return the fold of each case by its id.

    With a `folds.csv` in `folder`, only of the cases that it names; raises `BadInput` where it puts images of one
    lesion or of one patient into two folds, as a query would then find its sibling. Without one, a hash of the
    patient's id decides for all images of the patient; without a patient, of the lesion's id; else of the image's.
    """
    file = folder / FOLDS_FILE
    if file.is_file():
        listed = read_folds(file)
        known = [row for row in rows if row.case.id in listed]
        _refuse_leaks(known, listed, file)
        return {row.case.id: Folding(_lesion(row), listed[row.case.id]) for row in known}
    return {row.case.id: Folding(_lesion(row), hashed_fold(group, folds)) for row, group in _grouped(rows)}


def hashed_fold(name: str, folds: int) -> int:
    """Return a number in 0..folds-1 that depends on the name alone, evenly spread over names."""
    if folds < 2:
        raise BadInput(f"{folds} folds are too few; training and measuring need at least 2")
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % folds


def read_folds(file: Path) -> dict[str, int]:
    """Return the fold of each image id; raises `BadInput` naming the column or the line that is wrong."""
    table = read_table(file)
    named, fold = _column(table, ID_COLUMNS), _column(table, (FOLD_COLUMN,))
    result: dict[str, int] = {}
    for line in table.lines:
        text = line.values[fold] if len(line.values) > max(named, fold) else ""
        if not text.isdecimal():
            raise BadInput(f"{file}, line {line.number}: {FOLD_COLUMN} {text!r} is no whole number from 0 on")
        if result.setdefault(line.values[named], int(text)) != int(text):
            raise BadInput(f"{file}, line {line.number}: {line.values[named]} is in fold {text} and in another")
    return result


def _lesion(row: Row) -> str:
    # The words keep a patient or an image from being taken for a lesion of the same number.
    return row.case.lesion_id or (_patient(row) if row.patient else f"image {row.case.id}")


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    """Yield each row with the name of what must stay in one fold: its patient, or else its lesion.

    An image without a patient belongs to that of its lesion's other images. Patients that a lesion's images disagree
    about stay together, under the first of their names.
    """
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.get(name, name) != name:
            name = root[name]
        return name

    for lesion, patient in sorted({(_lesion(row), _patient(row)) for row in rows if row.patient}):
        # A patient's name comes before a lesion's, and of two patients the first by name.
        first, second = sorted((find(lesion), find(patient)), key=lambda name: (name == lesion, name))
        root[second] = first
    for row in rows:
        yield row, find(_lesion(row))


def _patient(row: Row) -> str:
    return f"patient {row.patient}"


def _refuse_leaks(rows: Sequence[Row], fold_of: Mapping[str, int], file: Path) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for row in rows:
        fold, id = fold_of[row.case.id], row.case.id
        for group in filter(None, (_named_lesion(row), _patient(row) if row.patient else "")):
            other, sibling = seen.setdefault(group, (fold, id))
            if other != fold:
                raise BadInput(
                    f"{file} puts {group} into folds {other} ({sibling}) and {fold} ({id}); all images of one lesion "
                    "and of one patient must be in one fold"
                )


def _named_lesion(row: Row) -> str:
    return f"lesion {row.case.lesion_id}" if row.case.lesion_id else ""


def _column(table: Table, names: tuple[str, ...]) -> int:
    for name in names:
        if name in table.header:
            return table.header.index(name)
    raise BadInput(f"{table.name} has no column {' or '.join(names)}; it has {', '.join(table.header)}")
