"""Reads each line of a table as a case with its image, or as the reason why it cannot be one."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from casekin.collections.files import ImageSource
from casekin.collections.image_index import Found, ImageIndex, Missing, name_without_ending
from casekin.collections.listing import ListedFile
from casekin.collections.spec import CollectionSpec
from casekin.collections.table import Line, Table
from casekin.contracts.base import Code, worded
from casekin.contracts.cases import Case

AGE_MAX = 130
"""Years; as the contract says."""
AGE_STRING = re.compile(r"(\d{1,3})([DWMY])")
"""DICOM PS3.5, value representation AS: 058Y, 013M, 003W, 010D."""
UNITS_IN_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}

FIELDS = {"lesion": "lesion_id", "evidence": "evidence", "sex": "sex", "site": "site", "source": "source"}
"""Column of the spec -> field of the case, of those that are one value taken as it is."""

_CODES = TypeAdapter(list[Code])


@dataclass(frozen=True)
class Row:
    """A case with its image, not yet read."""

    case: Case
    image: ImageSource
    note: str = ""
    """What was wrong with the line though it was taken."""
    labels: tuple[str, ...] = ()
    """All its diagnoses; the case carries the first. Those the spec describes come first, in its order, then the
    others as the table has them: a spec that lists rare ones before common ones shows the most specific."""
    patient: str | None = None
    """For folds in training; no case carries it."""


@dataclass(frozen=True)
class Skipped:
    """A line or file of the collection that cannot be taken."""

    id: str
    """Of the case, or the file where there is none."""
    code: str
    """One of no-id, bad-row, doubled-id, no-image, ambiguous-image, no-row, unsupported-image, the codes of `Fault`, or
    a code of `casekin.errors`."""
    reason: str


@dataclass(frozen=True)
class TableRows:
    """What came of one table."""

    table: Table
    rows: list[Row]
    skipped: list[Skipped]
    named: set[int]
    """`id()` of each file that a line of it names."""


def unnamed_pictures(pictures: Iterable[ListedFile], read: list[TableRows]) -> Iterator[Skipped]:
    """Pictures that no line of a table names."""
    named = set[int]().union(*(one.named for one in read))
    tables = " or ".join(one.table.name for one in read)
    for listed in pictures:
        if id(listed) not in named:
            yield Skipped(listed.file.name, "no-row", f"no line of {tables} names it")


def read_rows(table: Table, folder: str, spec: CollectionSpec, images: ImageIndex) -> TableRows:
    """Read a table that lies in `folder` of the collection."""
    return _RowReader(table, folder, spec, images).read()


class _RowReader:
    def __init__(self, table: Table, folder: str, spec: CollectionSpec, images: ImageIndex) -> None:
        self._table, self._folder, self._images = table, folder, images
        self._unknown = {value.casefold() for value in spec.unknown}
        self._positions = spec.columns.positions(table.header) | spec.optional_columns.positions(table.header)
        self._needed = 1 + max((max(places) for places in self._positions.values()), default=0)
        self._codes = {
            field: {value.casefold(): code for value, code in codes.items()} for field, codes in spec.values.items()
        }
        self._separator = spec.separator
        self._rank = {diagnosis.code: rank for rank, diagnosis in enumerate(spec.diagnoses)}
        self._taken: dict[str, int] = {}
        self._named: set[int] = set()

    def read(self) -> TableRows:
        """All lines."""
        lines = [self._padded(line) for line in self._table.lines]
        self._found = {key: self._images.find(key, self._folder) for key in set(map(self._key, lines)) if key}
        self._contested = self._images_of_several_keys(lines)
        rows, skipped = [], []
        for line in lines:
            outcome = self._read(line)
            if isinstance(outcome, Row):
                rows.append(outcome)
            else:
                skipped.append(outcome)
        return TableRows(self._table, rows, skipped, self._named)

    def _padded(self, line: Line) -> Line:
        """The line without empty cells beyond the header; further columns that are cut off at its end are empty."""
        values, columns = list(line.values), len(self._table.header)
        while len(values) > columns and not values[-1]:
            values.pop()
        if self._needed <= len(values) < columns:
            values += [""] * (columns - len(values))
        return Line(line.number, values)

    def _images_of_several_keys(self, lines: list[Line]) -> dict[int, list[int]]:
        """Files that several keys could mean, though none names their folders: id() -> numbers of the lines."""
        keys: dict[int, dict[str, int]] = defaultdict(dict)
        for line in lines:
            key = self._key(line)
            found = self._found[key] if key else None
            if key and isinstance(found, Found) and not found.folders_agree:
                for listed in found.files:
                    keys[id(listed)].setdefault(key, line.number)
        return {file: list(numbers.values()) for file, numbers in keys.items() if len(numbers) > 1}

    def _key(self, line: Line) -> str | None:
        if len(line.values) != len(self._table.header):
            return None
        return self._value(line, "image") or self._value(line, "id")

    def _read(self, line: Line) -> Row | Skipped:
        where = f"{self._table.name}, line {line.number}"
        if len(line.values) != len(self._table.header):
            counts = f"has {len(line.values)} values where the header names {len(self._table.header)} columns"
            return Skipped(line.values[0], "bad-row", f"{where} {counts}")
        key = self._key(line)
        case_id = self._value(line, "id") or (name_without_ending(key) if key else "")
        case_id = unicodedata.normalize("NFC", case_id)
        if not case_id or not key:
            return Skipped("", "no-id", f"{where} names no image")
        image = self._found[key]
        files = image.files if isinstance(image, Found) else image.nearest if image.ambiguous else ()
        self._named |= {id(listed) for listed in files}
        if case_id in self._taken:
            return Skipped(case_id, "doubled-id", self._doubled(case_id, key, where, self._taken[case_id]))
        self._taken[case_id] = line.number
        if isinstance(image, Missing):
            code = "ambiguous-image" if image.ambiguous else "no-image"
            return Skipped(case_id, code, f"{where}: {self._why_missing(key, image)}")
        if contested := self._contested_by(image):
            return Skipped(case_id, "ambiguous-image", f"{where}: {contested}")
        return self._row(case_id, line, image.image, where)

    def _doubled(self, case_id: str, key: str, where: str, first: int) -> str:
        reason = f"{where}: the id {case_id!r} is on line {first} already, which was taken"
        if "id" in self._positions:
            return reason
        return f"{reason}; it is the file name in {key!r}: give a column of ids, in collection.toml or with --id-column"

    def _contested_by(self, image: Found) -> str:
        """Why the image cannot be taken where lines of other folders could mean it too, or nothing."""
        lines = next((self._contested[id(one)] for one in image.files if id(one) in self._contested), None)
        if lines is None:
            return ""
        numbers = ", ".join(map(str, lines))
        return f"{image.image.name} could be the image of lines {numbers}, which name other folders"

    def _why_missing(self, key: str, image: Missing) -> str:
        if image.ambiguous:
            return (
                f"{key!r} could be {image.names}; name it with its folder and ending in the table, or leave the others "
                "out with ignore in collection.toml or --ignore"
            )
        nearest = f"; there is {image.names}" if image.nearest else ""
        return f"no image {key!r} in the folder or a readable zip{nearest}"

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
            return Skipped(case_id, "bad-row", f"{where}: {_sentence(error)}")
        return Row(case, image, note, tuple(labels), self._value(line, "patient"))

    def _position(self, line: Line, name: str) -> int | None:
        """The first column of field `name` with a known value on this line."""
        known = (i for i in self._positions.get(name, []) if self._is_known(line.values[i]))
        return next(known, None)

    def _value(self, line: Line, name: str) -> str | None:
        position = self._position(line, name)
        return None if position is None else self._code(name, line.values[position])

    def _is_known(self, value: str) -> bool:
        return value.casefold() not in self._unknown

    def _code(self, name: str, value: str) -> str:
        return self._codes.get(name, {}).get(value.casefold(), value)

    def _labels(self, line: Line) -> list[str]:
        position = self._position(line, "diagnosis")
        if position is None:
            return []
        text = line.values[position]
        parts = [part.strip() for part in text.split(self._separator)] if self._separator else [text]
        labels = dict.fromkeys(self._code("diagnosis", part) for part in parts if self._is_known(part))
        return sorted(labels, key=lambda label: self._rank.get(label, len(self._rank)))

    def _attributes(self, line: Line, *, several: bool) -> dict[str, str]:
        """Values that no field took, by column; several diagnoses too, as a case has room for one."""
        taken = {self._position(line, name) for name in self._positions if not (several and name == "diagnosis")}
        further = ((i, name) for i, name in enumerate(self._table.header) if i not in taken)
        return {name: line.values[i] for i, name in further if self._is_known(line.values[i])}

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
        return int(parts[1]) / UNITS_IN_A_YEAR[parts[2]]
    try:
        return float(text.replace(",", ".").removesuffix("+"))
    except ValueError:
        return None


def _sentence(error: ValidationError) -> str:
    """The first fault of a case in words, with the value and the limit."""
    fault = error.errors()[0]
    field = fault["loc"][0] if fault["loc"] and isinstance(fault["loc"][0], str) else "diagnosis"
    return f"{field}: {worded(fault)}"
