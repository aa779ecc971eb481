"""Reads a table of text: tab, comma or semicolon separated, quoted or not."""

import csv
import io
from dataclasses import dataclass

from casekin.collections.places import Place, answering
from casekin.errors import BadInput

SUFFIXES = ("", ".csv", ".tab", ".tsv", ".txt")
"""File name endings that a table can have; downloads of HAM10000 come without any, too."""

MAX_BYTES = 512 * 2**20
"""Larger files are no metadata."""


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    number: int
    """As an editor counts, the header being line 1."""
    values: list[str]


@dataclass(frozen=True)
class Table:
    """A header and its lines."""

    file: Place
    header: list[str]
    lines: list[Line]


def read_header(file: Place) -> list[str]:
    """Column names of `file`; empty where it is no table of text."""
    with answering(file), file.open("rb") as stream:
        first, _, _ = stream.read(65_536).partition(b"\n")
    if b"\0" in first:
        return []
    text = _decode(first)
    return _stripped(next(csv.reader([text], delimiter=_delimiter(text)), []))


def read_table(file: Place) -> Table:
    """Read all of `file`; raises `BadInput` naming what is wrong with it."""
    with answering(file):
        if (size := file.stat().st_size) > MAX_BYTES:
            raise BadInput(f"{file} has {size} bytes; a metadata table may have {MAX_BYTES}")
        text = _decode(file.read_bytes())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]))
    try:
        header = _stripped(next(reader, []))
        if repeated := {name for name in header if header.count(name) > 1}:
            raise BadInput(f"{file} names a column twice: {', '.join(sorted(repeated))}")
        lines = [Line(reader.line_num, _stripped(values)) for values in reader if any(map(str.strip, values))]
    except csv.Error as error:
        raise BadInput(f"{file}, line {reader.line_num}: {error}") from error
    return Table(file, header, lines)


def _stripped(values: list[str]) -> list[str]:
    return [value.strip() for value in values]


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _delimiter(header: str) -> str:
    return max("\t,;", key=header.count)
