"""Which fold a case belongs to: told by `folds.csv`, or else drawn by a hash that no further image changes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casekin.collections import FOLDS_FILE, Row, Table, read_table
from casekin.errors import BadInput

ID_COLUMNS = ("image_id", "isic_id", "id")
FOLD_COLUMN = "fold"


@dataclass(frozen=True)
class Folding:
    """Where one case belongs."""

    lesion: str
    """Or the patient, or the image itself: what is known of them, in this order."""
    number: int
    """Of the fold."""


def assigned(folder: Path, rows: Sequence[Row], folds: int) -> dict[str, Folding]:
    """Return the fold of each case by its id.

    With a `folds.csv` in `folder`, only of the cases that it names. Without one, all images of a patient fall into the
    fold that a hash of the patient's id says; where no patient is told, of the lesion's id; else of the image's.
    """
    lesions = {row.case.id: _lesion(row) for row in rows}
    file = folder / FOLDS_FILE
    if file.is_file():
        told = read_folds(file)
        return {id: Folding(lesion, told[id]) for id, lesion in lesions.items() if id in told}
    together = _patients(rows)
    return {id: Folding(lesion, hashed_fold(together.get(lesion, lesion), folds)) for id, lesion in lesions.items()}


def hashed_fold(name: str, folds: int) -> int:
    """Return a number in 0..folds-1 that depends on the name alone, evenly spread over names."""
    if folds < 2:
        raise BadInput(f"{folds} folds were asked for; it takes at least 2 to learn and to measure")
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
    return row.case.lesion_id or (f"patient {row.patient}" if row.patient else f"image {row.case.id}")


def _patients(rows: Sequence[Row]) -> Mapping[str, str]:
    """Lesion -> patient, from any image of it that tells; the first by name where images disagree."""
    pairs = {(row.case.lesion_id, f"patient {row.patient}") for row in rows if row.case.lesion_id and row.patient}
    return dict(sorted(((lesion, patient) for lesion, patient in pairs), reverse=True))


def _column(table: Table, names: tuple[str, ...]) -> int:
    for name in names:
        if name in table.header:
            return table.header.index(name)
    raise BadInput(f"{table.name} has no column {' or '.join(names)}; it has {', '.join(table.header)}")
