"""The collection as a Parquet table, one row a case, as any tool that reads Parquet opens it.

================  ====================  ==========================================================================
``id``            string
``lesion_id``     string, and so on     ``diagnosis evidence sex site source collection``; null where unknown
``age``           double                years
``attributes``    map<string, string>   further columns, as they came
``digest``        string                of metadata and image at ingest; null has it computed at import
``bundle``        string                version of the bundle whose latents these are
``latent``        list<float>           D standardised coordinates
``map_x map_y``   double                place on the map; null where the map does not have the case
================  ====================  ==========================================================================

The description of the collection is JSON in the file's metadata under ``casekin.collection``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from casekin.contracts.base import CaseId, worded
from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo
from casekin.errors import BadInput

TEXTS = ("lesion_id", "diagnosis", "evidence", "sex", "site", "source", "collection")
_ABOUT = b"casekin.collection"
_ROWS = 256
"""Rows in memory at a time."""
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in TEXTS),
        pa.field("age", pa.float64()),
        pa.field("attributes", pa.map_(pa.string(), pa.string())),
        pa.field("digest", pa.string()),
        pa.field("bundle", pa.string(), nullable=False),
        pa.field("latent", pa.list_(pa.float32()), nullable=False),
        pa.field("map_x", pa.float64()),
        pa.field("map_y", pa.float64()),
    ]
)
_NEEDED = ("id", "bundle", "latent")
_OPTIONAL = (*TEXTS, "age", "attributes", "digest")
"""Columns that an import reads where they are there."""


@dataclass(frozen=True)
class TableRow:
    """One case of a table."""

    case: Case
    digest: str | None
    bundle_version: str
    latent: list[float]


class CaseTableWriter:
    """Writes a table row group by row group: it never is in memory as a whole."""

    def __init__(self, stream: IO[bytes], info: CollectionInfo) -> None:
        self._schema = _SCHEMA.with_metadata({_ABOUT: info.model_dump_json().encode()})
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, rows: Sequence[TableRow], places: Mapping[CaseId, tuple[float, float]]) -> None:
        """Write rows as one row group, each with its place on the map where it has one."""
        lines = [_line(row, places.get(row.case.id, (None, None))) for row in rows]
        self._writer.write_table(pa.Table.from_pylist(lines, schema=self._schema))


class CaseTable:
    """A table to read; raises `BadInput` where it is none, or lacks a column that an import needs."""

    def __init__(self, file: Path) -> None:
        try:
            self._parquet = pq.ParquetFile(file)
        except (OSError, pa.ArrowException) as error:
            raise BadInput(f"{file} is no Parquet file that can be read: {error}") from error
        self._file = file
        there = set(self._parquet.schema_arrow.names)
        if missing := [name for name in _NEEDED if name not in there]:
            raise BadInput(f"{file} has no column {', '.join(missing)}; `casekin export` writes what an import needs")
        self._columns = [*_NEEDED, *(name for name in _OPTIONAL if name in there)]
        self.rows_in_all: int = self._parquet.metadata.num_rows

    @property
    def info(self) -> CollectionInfo | None:
        """The description of the collection; none where the table came through a tool that drops it."""
        about = (self._parquet.schema_arrow.metadata or {}).get(_ABOUT)
        try:
            return None if about is None else CollectionInfo.model_validate_json(about)
        except ValidationError as error:
            raise BadInput(f"{self._file} describes its collection wrongly: {worded(error.errors()[0])}") from error

    def rows(self) -> Iterator[TableRow]:
        """All rows in their order; raises `BadInput` that names the row which is no case."""
        number = 0
        batches = self._parquet.iter_batches(batch_size=_ROWS, columns=self._columns)
        while True:
            try:
                lines = next(batches).to_pylist()
            except StopIteration:
                return
            except (OSError, pa.ArrowException) as error:
                raise BadInput(f"{self._file} is damaged after row {number}: {error}") from error
            for line in lines:
                number += 1
                yield _row(line, number)


def _line(row: TableRow, place: tuple[float | None, float | None]) -> dict[str, object]:
    return {
        **row.case.model_dump(),
        "digest": row.digest,
        "bundle": row.bundle_version,
        "latent": row.latent,
        "map_x": place[0],
        "map_y": place[1],
    }


def _row(line: dict[str, Any], number: int) -> TableRow:
    fields = {name: line[name] for name in ("id", "age", *TEXTS) if name in line}
    try:
        case = Case(**fields, attributes=_cells(line.get("attributes")))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise BadInput(f"row {number}: {where}: {worded(fault)}") from error
    if not line["latent"] or not line["bundle"]:
        raise BadInput(f"row {number} (case {case.id}) has no latent, or no bundle")
    return TableRow(case, line.get("digest"), line["bundle"], line["latent"])


def _cells(attributes: Any) -> Any:
    """Further columns by name, of a map, a struct or a list of pairs; any other type is left to the validation."""
    if attributes is None:
        return {}
    if isinstance(attributes, list) and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in attributes):
        return {str(name): value for name, value in attributes}
    return attributes
