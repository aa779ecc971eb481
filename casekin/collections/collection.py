"""A folder or a prefix -> what it is, its rows, and what had to be skipped."""

from dataclasses import dataclass

from casekin.collections.places import Place, answering, inside
from casekin.collections.rows import Row, RowReader, Skipped
from casekin.collections.sources import ImageIndex, index_images
from casekin.collections.spec import CollectionSpec, built_in_names, built_in_spec, read_spec
from casekin.collections.table import SUFFIXES, read_header, read_table
from casekin.collections.vocabulary import vocabulary
from casekin.contracts.search import CollectionInfo
from casekin.errors import BadInput

SPEC_FILE = "collection.toml"
FOLDS_FILE = "folds.csv"
"""Which images training learns from; no metadata, though it has columns of that name."""


@dataclass(frozen=True)
class LoadedCollection:
    """All cases of a folder; their images are read only when asked for."""

    info: CollectionInfo
    rows: list[Row]
    skipped: list[Skipped]
    metadata: Place
    """The table that the rows came from."""


def open_collection(
    folder: Place, spec: CollectionSpec | None = None, *, metadata: str | None = None
) -> LoadedCollection:
    """Read the metadata and find the images of `folder`.

    Without a `spec`, a ``collection.toml`` in the folder says how; without that, the built-in collections are tried.
    `metadata` is the file name of the table where several would fit.
    Raises `BadInput` where the folder holds no collection that can be read, and says what would help; `Unavailable`
    where its store does not answer.
    """
    with answering(folder):
        if not folder.is_dir():
            raise BadInput(f"{folder} is not a folder")
        described = spec is None and (folder / SPEC_FILE).is_file()
    if described:
        spec = read_spec(folder / SPEC_FILE)
    images = index_images(folder, spec.ignore if spec else [])
    spec, table = _choose(folder, images, spec, metadata)
    return _load(spec, table, index_images(folder, spec.ignore))


def _load(spec: CollectionSpec, metadata: Place, images: ImageIndex) -> LoadedCollection:
    reader = RowReader(read_table(metadata), spec, images)
    rows = list(reader.rows())
    skipped = [
        Skipped(zip_, "corrupt-zip", f"{why}; its images are missing") for zip_, why in images.unreadable.items()
    ]
    info = CollectionInfo(
        title=spec.title,
        licence=spec.licence,
        citation=spec.citation,
        diagnoses=vocabulary(spec.diagnoses, (label for row in rows for label in row.labels)),
        labels=spec.labels,
        evidence_weights=spec.evidence_weights,
    )
    return LoadedCollection(info, rows, skipped + reader.skipped, metadata)


def _choose(
    folder: Place, images: ImageIndex, spec: CollectionSpec | None, metadata: str | None
) -> tuple[CollectionSpec, Place]:
    tables = [file for file in images.tables if file.suffix.lower() in SUFFIXES and file.name != FOLDS_FILE]
    headers = {file: read_header(file) for file in tables}
    headers = {file: header for file, header in headers.items() if len(header) > 1}
    candidates = [spec] if spec else [built_in_spec(name) for name in built_in_names()]
    for candidate in candidates:
        named = metadata or candidate.metadata
        fitting = [file for file in headers if named in (None, file.name) and candidate.columns.fit(headers[file])]
        if len(fitting) == 1:
            return candidate, fitting[0]
        if fitting:
            names = ", ".join(inside(file, folder) for file in fitting)
            raise BadInput(
                f"{folder} holds several tables that fit: {names}; name one with --metadata or in a {SPEC_FILE}"
            )
    raise BadInput(_explain(folder, headers, spec))


def _explain(folder: Place, headers: dict[Place, list[str]], spec: CollectionSpec | None) -> str:
    if not headers:
        return f"{folder} holds no table (.csv, .tab, .tsv, .txt) that says what its images are"
    found = "; ".join(f"{inside(file, folder)} has {', '.join(header[:12])}" for file, header in headers.items())
    if spec:
        wanted = spec.columns.described() or "none, so name at least --id-column or --image-column"
        return f"no table in {folder} has the columns {wanted}: {found}"
    known = ", ".join(name.upper() for name in built_in_names())
    return (
        f"{folder} is neither a download of {known} nor described by a {SPEC_FILE}: {found}; "
        "say which column is what with --id-column, --diagnosis-column and so on"
    )
