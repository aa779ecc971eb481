"""Opens a folder, zip or prefix of a store as a collection: what it is, its rows, and what had to be skipped."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from casekin.collections.image_index import ImageIndex
from casekin.collections.listing import Fault, ListedFile, Listing, list_files
from casekin.collections.locations import Location, store_errors
from casekin.collections.rows import Row, Skipped, TableRows, read_rows, unnamed_pictures
from casekin.collections.spec import CollectionSpec, Columns, built_in_names, built_in_spec, read_spec
from casekin.collections.table import SUFFIXES, Header, possible_headers, read_table
from casekin.collections.text import folded, printable
from casekin.collections.vocabulary import vocabulary
from casekin.contracts.base import worded
from casekin.contracts.collection import CollectionInfo
from casekin.errors import BadInput, CorruptImage

SPEC_FILE = "collection.toml"
FOLDS_FILE = "folds.csv"
"""Which images training learns from; no metadata, though it has columns of that name."""
LONGEST_TITLE = 120
"""Characters of the folder's name that become the title where nothing else does."""
_TABLES_SHOWN, _COLUMNS_SHOWN = 5, 12


@dataclass(frozen=True)
class LoadedCollection:
    """All cases of a folder; their images are read one by one, on demand."""

    info: CollectionInfo
    rows: list[Row]
    skipped: list[Skipped]
    tables: list[str]
    """Names of the tables that the rows came from."""


def open_collection(
    location: Location,
    spec: CollectionSpec | None = None,
    *,
    columns: Columns | None = None,
    metadata: str | None = None,
    ignore: list[str] | None = None,
    within: Path | None = None,
) -> LoadedCollection:
    """Read the metadata and find the images of a folder, a zip or a prefix of a store.

    Without a `spec`, a ``collection.toml`` in it says how; without that, `columns`, or else the built-in collections
    are tried. `columns` take precedence over those of the spec. All tables whose columns fit are read, unless
    `metadata` names one by file name or path. `ignore` has further patterns of files, folders and zips to leave out.
    With `within`, links out of that folder are not followed.
    Raises `BadInput` where there is no collection that can be read, and says what would help; `Unavailable` where the
    store does not answer.
    """
    _check_exists(location)
    patterns = list(ignore or [])
    listing = list_files(location, patterns, within)
    spec = _with_columns(spec or _own_spec(listing), columns or Columns(), location)
    tables = _Tables(location, listing, metadata)
    spec, chosen = tables.choose(spec)
    if spec.ignore:
        listing = list_files(location, patterns + spec.ignore, within)
    return _load(spec, chosen, listing, tables.faults)


def _own_spec(listing: Listing) -> CollectionSpec | None:
    """The spec that lies in the collection: at its top, or else the only one there is."""
    found = [listed for listed in listing.files if folded(PurePosixPath(listed.path).name) == SPEC_FILE]
    top = [listed for listed in found if "/" not in listed.path] or found
    return read_spec(top[0].file) if len(top) == 1 else None


def _with_columns(spec: CollectionSpec | None, columns: Columns, location: Location) -> CollectionSpec | None:
    named = columns.named()
    if spec is not None:
        return spec.model_copy(update={"columns": spec.columns.model_copy(update=named)})
    if not named:
        return None
    name = location.resolve().name if isinstance(location, Path) else location.name
    return CollectionSpec(title=printable(name)[:LONGEST_TITLE] or "Collection", columns=columns)


def _check_exists(location: Location) -> None:
    try:
        with store_errors(location):
            exists = location.is_dir() or location.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have: too long, or with a NUL
        raise BadInput(f"{printable(location)} is not a folder or zip: {error}") from error
    if not exists:
        raise BadInput(f"{printable(location)} is not a folder or zip")


def _load(spec: CollectionSpec, tables: list[ListedFile], listing: Listing, faults: list[Fault]) -> LoadedCollection:
    images = ImageIndex(listing.files)
    read = [_read(table, spec, images) for table in tables]
    rows = _merged(read)
    skipped = [Skipped(fault.name, fault.code, fault.reason) for fault in listing.faults + faults]
    skipped += [one for table in read for one in table.skipped]
    skipped += unnamed_pictures(images.pictures, read)
    return LoadedCollection(_info(spec, rows), rows, skipped, [one.table.name for one in read])


def _read(listed: ListedFile, spec: CollectionSpec, images: ImageIndex) -> TableRows:
    folder = PurePosixPath(listed.path).parent.as_posix()
    return read_rows(read_table(listed.file, spec.columns.fit), folder, spec, images)


def _info(spec: CollectionSpec, rows: list[Row]) -> CollectionInfo:
    try:
        return CollectionInfo(
            title=spec.title,
            licence=spec.licence,
            citation=spec.citation,
            diagnoses=vocabulary(spec.diagnoses, (label for row in rows for label in row.labels)),
            labels=spec.labels,
            evidence_weights=spec.evidence_weights,
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, fault['loc']))} of the collection: {worded(fault)}") from error


def _merged(read: list[TableRows]) -> list[Row]:
    """The rows of all tables; those that several tables have alike are taken once.

    Raises `BadInput` where two tables describe an image differently: one of them is likely old, or of something else.
    """
    merged: dict[str, tuple[Row, str]] = {}
    for one in read:
        for row in one.rows:
            first, table = merged.setdefault(row.case.id, (row, one.table.name))
            if first.case != row.case:
                raise BadInput(
                    f"several tables fit, and {table} and {one.table.name} describe {row.case.id!r} differently; "
                    f"name one with --metadata, or as metadata in a {SPEC_FILE}"
                )
    return [row for row, _ in merged.values()]


class _Tables:
    """The tables of a collection and which of them to read."""

    def __init__(self, location: Location, listing: Listing, metadata: str | None) -> None:
        self._location, self._listing, self._metadata = location, listing, metadata
        self.faults: list[Fault] = []
        self._headers: dict[int, list[Header]] = {}
        self._tables = [listed for listed in listing.files if self._is_table(listed)]

    def choose(self, spec: CollectionSpec | None) -> tuple[CollectionSpec, list[ListedFile]]:
        """The spec, or the first of the built-in ones, and all tables that fit it."""
        candidates = [spec] if spec else [built_in_spec(name) for name in built_in_names()]
        for candidate in candidates:
            named = self._metadata or candidate.metadata
            fitting = [
                listed
                for listed in self._tables
                if (named is None or _is_called(listed, named))
                and any(candidate.columns.fit(header.names) for header in self._headers[id(listed)])
            ]
            if fitting:
                return candidate, fitting
        raise BadInput(self._explanation(spec))

    def _is_table(self, listed: ListedFile) -> bool:
        path = PurePosixPath(listed.path)
        if path.suffix.lower() not in SUFFIXES or path.name == FOLDS_FILE:
            return False
        try:
            self._headers[id(listed)] = possible_headers(listed.file)
        except (BadInput, CorruptImage) as error:
            self.faults.append(Fault(listed.file.name, "unreadable", error.detail))
            return False
        return bool(self._headers[id(listed)])

    def _explanation(self, spec: CollectionSpec | None) -> str:
        where = printable(self._location)
        named = self._metadata or (spec.metadata if spec else None)
        shown = [listed for listed in self._tables if len(self._headers[id(listed)][0].names) > 1 or spec]
        if named and not any(_is_called(listed, named) for listed in shown):
            names = ", ".join(listed.path for listed in shown[:_TABLES_SHOWN]) or "no table at all"
            return f"{where} holds no table {named!r}; there is {names}"
        if not shown:
            return f"{where} holds no table (.csv, .tab, .tsv, .txt) that says what its images are{self._instead()}"
        found = "; ".join(self._described(listed) for listed in shown[:_TABLES_SHOWN])
        if spec:
            wanted = spec.columns.described() or "none, so name at least --id-column or --image-column"
            return f"no table in {where} has the columns {wanted}: {found}"
        known = ", ".join(name.upper() for name in built_in_names())
        return (
            f"{where} is neither a download of {known} nor described by a {SPEC_FILE}: {found}; "
            "say which column is what in one, or with --id-column, --diagnosis-column and so on of `casekin ingest`"
        )

    def _described(self, listed: ListedFile) -> str:
        return f"{listed.path} has {', '.join(self._headers[id(listed)][0].names[:_COLUMNS_SHOWN])}"

    def _instead(self) -> str:
        """What there is in place of a table, where it says something."""
        faults = [fault.reason for fault in self._listing.faults + self.faults]
        endings = sorted({PurePosixPath(listed.path).suffix.lower() for listed in self._listing.files} - set(SUFFIXES))
        hints = [f"files there end in {', '.join(endings)}"] if endings else []
        return "".join(f"; {hint}" for hint in [*hints, *faults[:_TABLES_SHOWN]])


def _is_called(listed: ListedFile, name: str) -> bool:
    wanted = folded(name.replace("\\", "/").removeprefix("./"))
    return any(wanted in (folded(path), folded(path.rpartition("/")[2])) for path in listed.all_paths)
