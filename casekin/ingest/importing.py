"""Import a table of cases that carry their latents already; needs no encoder."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from casekin.clients import SearchClient
from casekin.collections.image_index import Found, ImageIndex
from casekin.collections.listing import list_files
from casekin.contracts.base import CaseId, worded
from casekin.contracts.cases import CaseUpload
from casekin.contracts.paths import file_stem
from casekin.errors import AmbiguousImage, BadInput, CasekinError, Conflict, NotFound
from casekin.ingest.encoding import FATAL, Encoded, case_digest, skipped
from casekin.ingest.merge import merged_info
from casekin.ingest.outcome import Outcome, Summary
from casekin.ingest.storing import BatchWriter
from casekin.parquet import CaseTable, TableRow


class Images:
    """Images by case id: the file in a folder that `casekin export` names by it, else the image that search has."""

    def __init__(self, folder: Path | None, search: SearchClient) -> None:
        self._files = ImageIndex(list_files(folder, []).files if folder else [])
        self._search = search

    def read(self, case_id: CaseId) -> bytes:
        """The bytes of the image; raises `NotFound`, or `AmbiguousImage` where several files have the name."""
        found = self._files.find(file_stem(case_id))
        if isinstance(found, Found):
            return found.image.read()
        if found.ambiguous:
            raise AmbiguousImage(f"the image of case {case_id} could be {found.names}; leave one in the folder")
        try:
            return self._search.image(case_id)[0]
        except NotFound as error:
            raise NotFound(
                f"case {case_id} has no image: the collection does not have it, nor the folder a file of its name"
            ) from error


def import_table(
    table: CaseTable, search: SearchClient, images: Images, on_outcome: Callable[[Outcome], None] = lambda _: None
) -> Summary:
    """Store the cases of a table with their latents, replacing those of the same id; call `on_outcome` for each.

    The same table again changes nothing. Raises `Conflict` where the latents are of another bundle, `BadInput` where a
    row is no case, and the errors that would meet every further case.
    """
    summary, before = Summary(), search.collection()

    def record(outcome: Outcome) -> None:
        summary.add(outcome)
        on_outcome(outcome)

    version = before.bundle_version
    _check(table, version)
    info = merged_info(before.info if before.cases else None, table.info or before.info)
    if info != before.info:
        search.describe_collection(info)
    with BatchWriter(search, version, record) as writer:
        for result in _with_images(table, images):
            if isinstance(result, Encoded):
                writer.add(result)
            else:
                record(result)
        writer.flush()
    return summary


def _check(table: CaseTable, version: str) -> None:
    """Check the bundle of all rows, and that no id occurs twice, before the first is stored."""
    rows_by_id: dict[CaseId, int] = {}
    for number, row in enumerate(table.rows(), 1):
        if (first := rows_by_id.setdefault(row.case.id, number)) != number:
            raise BadInput(f"row {number}: case {row.case.id} is on row {first} already; each case has one row")
        if row.bundle_version != version:
            raise Conflict(
                f"case {row.case.id} of the table has a latent of bundle {row.bundle_version}, the collection is of "
                f"{version}; `casekin index switch` to that bundle, or ingest the images"
            )


def _with_images(table: CaseTable, images: Images) -> Iterator[Encoded | Outcome]:
    for row in table.rows():
        try:
            yield _with_image(row, images.read(row.case.id))
        except FATAL:
            raise
        except CasekinError as error:
            yield skipped(row.case.id, error)


def _with_image(row: TableRow, image: bytes) -> Encoded:
    digest = row.digest or case_digest(image, row.case)
    try:
        upload = CaseUpload(case=row.case, latent=row.latent, digest=digest)
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadInput(f"case {row.case.id}: {'.'.join(map(str, fault['loc']))}: {worded(fault)}") from error
    return Encoded(upload, image, note="")
