"""One line of the table -> one case, or the reason why not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from pydantic import TypeAdapter, ValidationError

from casekin.collections.sources import ImageIndex, ImageSource
from casekin.collections.spec import CollectionSpec
from casekin.collections.table import Line, Table
from casekin.contracts.base import Code
from casekin.contracts.search import Case

AGE_MAX = 130
"""Years; as the contract says."""
AGE_STRING = re.compile(r"(\d{1,3})([DWMY])")
"""DICOM PS3.5, value representation AS: 058Y, 013M, 003W, 010D."""
IN_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}

FIELDS = {"lesion": "lesion_id", "evidence": "evidence", "sex": "sex", "site": "site", "source": "source"}
"""Column of the spec -> field of the case, of those that are one value taken as it is."""

_CODES = TypeAdapter(list[Code])


@dataclass(frozen=True)
class Row:
    """A case with its image, not yet read."""

    case: Case
    image: ImageSource
    note: str = ""
    """What was wrong with it and how it was taken nevertheless."""
    labels: tuple[str, ...] = ()
    """All its diagnoses; the case carries the first. Those the spec describes come first, in its order, then the
    others as the table has them: who lists rare ones before common ones has the most specific shown."""
    patient: str | None = None
    """Stays on this side: no case carries it."""


@dataclass(frozen=True)
class Skipped:
    """What the collection holds and cannot be taken."""

    id: str
    """Of the case, or the file where there is none."""
    code: str
    """One of no-id, bad-row, doubled-id, no-image, no-row, corrupt-zip, or a code of `casekin.errors`."""
    reason: str


class RowReader:
    """Turns lines into rows and collects those it cannot."""

    def __init__(self, table: Table, spec: CollectionSpec, images: ImageIndex) -> None:
        named = spec.columns.named() | spec.optional_columns.named()
        self._table = table
        self._images = images
        self._unknown = {value.casefold() for value in spec.unknown}
        found = {name: [table.header.index(c) for c in columns if c in table.header] for name, columns in named.items()}
        self._positions = {name: positions for name, positions in found.items() if positions}
        self._codes = {
            field: {value.casefold(): code for value, code in codes.items()} for field, codes in spec.values.items()
        }
        self._separator = spec.separator
        self._rank = {diagnosis.code: rank for rank, diagnosis in enumerate(spec.diagnoses)}
        self._seen: dict[str, int] = {}
        self._used: set[int] = set()
        self.skipped: list[Skipped] = []

    def rows(self) -> Iterator[Row]:
        """All rows that can be taken; afterwards `skipped` holds the others."""
        for line in self._table.lines:
            outcome = self._read(line)
            if isinstance(outcome, Row):
                yield outcome
            else:
                self.skipped.append(outcome)
        self.skipped += self._without_row()

    def _without_row(self) -> Iterator[Skipped]:
        """Images that no line names; a second copy of a named one (zip and unzipped folder side by side) is none."""
        taken = {name for name, image in self._images.sources if id(image) in self._used}
        for name, image in self._images.sources:
            if name not in taken:
                yield Skipped(image.name, "no-row", f"no line of {self._table.file.name} names it")

    def _read(self, line: Line) -> Row | Skipped:
        where = f"{self._table.file.name}, line {line.number}"
        if len(line.values) != len(self._table.header):
            counts = f"has {len(line.values)} values where the header names {len(self._table.header)} columns"
            return Skipped(line.values[0], "bad-row", f"{where} {counts}")
        key = self._value(line, "image") or self._value(line, "id")
        case_id = self._value(line, "id") or (PurePath(key.replace("\\", "/")).stem if key else None)
        if not case_id or not key:
            return Skipped("", "no-id", f"{where} names no image")
        image = self._images.find(key)
        if image is not None:
            self._used.add(id(image))
        if case_id in self._seen:
            first = self._seen[case_id]
            return Skipped(case_id, "doubled-id", f"{where}: the id is on line {first} already, which was taken")
        self._seen[case_id] = line.number
        if image is None:
            return Skipped(case_id, "no-image", f"{where}: no image {key!r} in the folder or a readable zip")
        return self._row(case_id, line, image, where)

    def _row(self, case_id: str, line: Line, image: ImageSource, where: str) -> Row | Skipped:
        age, note = self._age(line)
        labels = self._labels(line)
        fields: dict[str, object] = {"id": case_id, "age": age, "diagnosis": next(iter(labels), None)}
        fields["attributes"] = self._attributes(line, several=len(labels) > 1)
        fields |= {field: self._value(line, name) for name, field in FIELDS.items()}
        try:
            case = Case.model_validate(fields)
            labels = _CODES.validate_python(labels)
        except ValidationError as error:
            fault = error.errors()[0]
            value, name = str(fault["input"])[:80], fault["loc"][0]
            name = name if isinstance(name, str) else "diagnosis"
            return Skipped(case_id, "bad-row", f"{where}: {name} {value!r}: {fault['msg']}")
        return Row(case, image, note, tuple(labels), self._value(line, "patient"))

    def _position(self, line: Line, name: str) -> int | None:
        """Where this line tells `name`: the first of its columns with a value that is known."""
        told = (i for i in self._positions.get(name, []) if self._is_known(line.values[i]))
        return next(told, None)

    def _value(self, line: Line, name: str) -> str | None:
        position = self._position(line, name)
        return None if position is None else self._code(name, line.values[position])

    def _code(self, name: str, value: str) -> str:
        return self._codes.get(name, {}).get(value.casefold(), value)

    def _is_known(self, value: str) -> bool:
        return value.casefold() not in self._unknown

    def _labels(self, line: Line) -> list[str]:
        position = self._position(line, "diagnosis")
        if position is None:
            return []
        text = line.values[position]
        parts = [part.strip() for part in text.split(self._separator)] if self._separator else [text]
        labels = dict.fromkeys(self._code("diagnosis", part) for part in parts if self._is_known(part))
        return sorted(labels, key=lambda label: self._rank.get(label, len(self._rank)))

    def _attributes(self, line: Line, *, several: bool) -> dict[str, str]:
        """What no field took, by its column; several diagnoses too, as the case itself has room for one."""
        taken = {self._position(line, name) for name in self._positions if not (several and name == "diagnosis")}
        known = ((i, name) for i, name in enumerate(self._table.header) if name and i not in taken)
        return {name: line.values[i] for i, name in known if self._is_known(line.values[i])}

    def _age(self, line: Line) -> tuple[float | None, str]:
        text = self._value(line, "age")
        if text is None:
            return None, ""
        age = _years(text)
        if age is not None and 0 <= age <= AGE_MAX:
            return age, ""
        return None, f"age {text!r} is no number of years from 0 to {AGE_MAX}: kept with age unknown"


def _years(text: str) -> float | None:
    if parts := AGE_STRING.fullmatch(text.upper()):
        return int(parts[1]) / IN_A_YEAR[parts[2]]
    try:
        return float(text.replace(",", ".").removesuffix("+"))
    except ValueError:
        return None
