"""One line of the table -> one case, or the reason why not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from pydantic import ValidationError

from casekin.collections.sources import ImageIndex, ImageSource
from casekin.collections.spec import CollectionSpec
from casekin.collections.table import Line, Table
from casekin.contracts.search import Case

AGE_MAX = 130
"""Years; as the contract says."""

FIELD_OF_COLUMN = {"id": "id", "lesion": "lesion_id"}
"""Where a column of the spec and a field of the case differ in name."""


@dataclass(frozen=True)
class Row:
    """A case with its image, not yet read."""

    case: Case
    image: ImageSource
    note: str = ""
    """What was wrong with it and how it was taken nevertheless."""


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
        named = spec.columns.named()
        named |= {f: c for f, c in spec.optional_columns.named().items() if c in table.header}
        self._table = table
        self._images = images
        self._unknown = {value.casefold() for value in spec.unknown}
        self._position = {name: table.header.index(column) for name, column in named.items()}
        self._further = {name: i for i, name in enumerate(table.header) if name and name not in named.values()}
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
        fields: dict[str, object] = {"id": case_id, "age": age, "attributes": self._attributes(line)}
        for name in self._position.keys() - {"id", "image", "age"}:
            fields[FIELD_OF_COLUMN.get(name, name)] = self._value(line, name)
        try:
            return Row(Case.model_validate(fields), image, note)
        except ValidationError as error:
            fault = error.errors()[0]
            value = str(fault["input"])[:80]
            return Skipped(case_id, "bad-row", f"{where}: {fault['loc'][0]} {value!r}: {fault['msg']}")

    def _value(self, line: Line, name: str) -> str | None:
        position = self._position.get(name)
        return None if position is None else self._known(line.values[position])

    def _known(self, value: str) -> str | None:
        return None if value.casefold() in self._unknown else value

    def _attributes(self, line: Line) -> dict[str, str]:
        return {name: value for name, i in self._further.items() if (value := self._known(line.values[i])) is not None}

    def _age(self, line: Line) -> tuple[float | None, str]:
        text = self._value(line, "age")
        if text is None:
            return None, ""
        try:
            age = float(text.replace(",", "."))
        except ValueError:
            age = -1.0
        if 0 <= age <= AGE_MAX:
            return age, ""
        return None, f"age {text!r} is no number of years from 0 to {AGE_MAX}: kept with age unknown"
