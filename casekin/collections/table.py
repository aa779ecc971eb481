"""Reads tables of text as programs write them: any delimiter, line end and encoding, a title before the header."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from casekin.collections.files import LooseFile, StoredFile
from casekin.collections.text import decoded, printable
from casekin.errors import BadInput

SUFFIXES = ("", ".csv", ".tab", ".tsv", ".txt")
"""File name endings that a table can have; downloads of HAM10000 come without any, too."""
MAX_TABLE_BYTES = 512_000_000
"""Larger files are no metadata."""
_HEAD_BYTES = 65_536
"""Of a file, in which the header is looked for."""
_MOST_LINES_BEFORE = 20
"""Lines of title, notes and blanks before the header."""
_MOST_LINES_OF_HEADER = 5
"""A name may be in quotes and have line breaks."""
_DELIMITERS = "\t,;|"
_STRAY = {code: " " for code in (*range(32), *range(127, 160), 0x2028, 0x2029) if chr(code) not in "\t\r\n"}
"""Control characters, which no cell means."""
_END = "\x1eend\x1e"
"""A last line that stays apart unless a quotation mark is open."""


@dataclass(frozen=True)
class Header:
    """Column names of a table, and how to read on."""

    names: list[str]
    """Without the empty ones at the end, which spreadsheet programs write."""
    last_line: int
    """As an editor counts, from 1 on; the lines of the table follow."""
    delimiter: str


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    number: int
    """As an editor counts, the first of the file being 1."""
    values: list[str]


@dataclass(frozen=True)
class Table:
    """A header and its lines."""

    name: str
    """Path of the file, for messages."""
    header: list[str]
    lines: list[Line]


def possible_headers(file: StoredFile) -> list[Header]:
    """Every reading of a first line of `file` as column names, the most plausible first; empty where it is no text."""
    return _possible_headers(decoded(_whole_lines(file.begin(_HEAD_BYTES))))


def read_table(file: StoredFile | Path, fits: Callable[[list[str]], bool] = lambda _: True) -> Table:
    """Read all of `file`; its header is the first line that `fits`, else the most plausible one.

    Raises `BadInput` that names what is wrong, and the line.
    """
    if isinstance(file, Path):
        file = LooseFile(file)
    data = file.read(MAX_TABLE_BYTES)
    headers = _possible_headers(decoded(_whole_lines(data[:_HEAD_BYTES])))
    if not headers:
        raise BadInput(f"{file.name} is no table of text")
    header = next((one for one in headers if fits(one.names)), headers[0])
    lines = list(_lines(decoded(data), header, file.name))
    return Table(file.name, _unique(header.names, file.name, fits), lines)


def _whole_lines(data: bytes) -> bytes:
    """The start of a file up to the end of a line, so that no character is cut in two."""
    end = max(data.rfind(b"\n"), data.rfind(b"\r"))
    return data if len(data) < _HEAD_BYTES or end < 0 else data[: end + 1]


def _possible_headers(text: str) -> list[Header]:
    lines = list(islice(io.StringIO(text, newline=""), _MOST_LINES_BEFORE + _MOST_LINES_OF_HEADER))
    declared = _declared_delimiter(lines[0]) if lines else ""
    delimiters = declared or _DELIMITERS
    headers = []
    for before in range(1 if declared else 0, min(len(lines), _MOST_LINES_BEFORE)):
        for delimiter in delimiters:
            names, count = _header_cells(lines[before : before + _MOST_LINES_OF_HEADER], delimiter)
            if any(names) and (len(names) > 1 or delimiter == delimiters[0]):
                headers.append(Header(names, before + count, delimiter))
    return sorted(headers, key=lambda header: -sum(map(bool, header.names)))


def _declared_delimiter(line: str) -> str:
    """The delimiter of Excel's first line ``sep=;``, else nothing."""
    line = line.strip('\r\n" ')
    return line[4] if len(line) == 5 and line.lower().startswith("sep=") else ""


def _header_cells(lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """The cells of the first record without the empty ones at the end, and how many lines it takes."""
    reader = csv.reader([*lines, _END], delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error:
        return [], 1
    if not cells or "\0" in "".join(cells):  # a blank line, or no text
        return [], 1
    if _END in cells[-1]:  # the quotation mark is one of the name
        reader = csv.reader(lines[:1], delimiter=delimiter, quoting=csv.QUOTE_NONE)
        cells = next(reader)
    cells = [" ".join(cell.split()) for cell in _stripped(cells)]
    while cells and not cells[-1]:
        cells.pop()
    return cells, reader.line_num


def _lines(text: str, header: Header, name: str) -> Iterator[Line]:
    stream = io.StringIO(f"{text}\n{_END}", newline="")
    for _ in range(header.last_line):
        stream.readline()
    reader = csv.reader(stream, delimiter=header.delimiter)
    begin = 1
    try:
        for values in reader:
            number, begin = header.last_line + begin, reader.line_num + 1
            if values == [_END]:
                return
            if values and _END in values[-1]:
                raise BadInput(f"{name}, line {number}: a quotation mark opens there and is never closed")
            if any(map(str.strip, values)):
                yield Line(number, _stripped(values))
    except csv.Error as error:
        raise BadInput(f"{name}, line {header.last_line + begin}: {error}") from error


def _unique(names: list[str], file: str, fits: Callable[[list[str]], bool]) -> list[str]:
    """Column names of which each occurs once; raises `BadInput` where one that is needed occurs twice."""
    repeated = {name for name in names if name and names.count(name) > 1}
    if needed := sorted(name for name in repeated if not fits([other for other in names if other != name])):
        raise BadInput(f"{printable(file)} names a column twice: {', '.join(needed)}")
    unique: list[str] = []
    for number, name in enumerate(names, 1):
        unique.append(name if name and name not in unique else f"{name or 'column'} {number}")
    return unique


def _stripped(values: list[str]) -> list[str]:
    return [value.translate(_STRAY).strip(" \t\r\n\u00a0\ufeff") for value in values]
