"""Brings a table of cases in whose latents are there already: no encoder is asked."""

from collections.abc import Callable, Iterator
from pathlib import Path

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.search import CaseUpload
from casekin.errors import BadInput, CasekinError, Conflict, NotFound
from casekin.ingest.describing import described
from casekin.ingest.digest import case_digest
from casekin.ingest.encoding import FATAL, Encoded, skipped
from casekin.ingest.outcome import Outcome, Summary
from casekin.ingest.storing import BatchWriter
from casekin.parquet import CaseTable, TableRow


class Images:
    """Images by case id: a file of that name in a folder or below it, else what search has of the case already."""

    def __init__(self, folder: Path | None, search: SearchClient) -> None:
        files = folder.rglob("*") if folder else ()
        self._files = {file.stem: file for file in files if file.is_file()}
        self._search = search

    def read(self, case_id: CaseId) -> bytes:
        """The bytes of the image; raises `NotFound`."""
        if file := self._files.get(case_id):
            return file.read_bytes()
        try:
            return self._search.image(case_id)[0]
        except NotFound as error:
            raise NotFound(
                f"case {case_id} has no image: the collection does not have it, nor the folder a file of its name"
            ) from error


def import_table(
    table: CaseTable, search: SearchClient, images: Images, tell: Callable[[Outcome], None] = lambda _: None
) -> Summary:
    """Store the cases of a table with their latents, replacing those of the same id; `tell` hears of each.

    Raises `Conflict` where the latents are of another bundle, `BadInput` where a row is no case, and what would befall
    every further case. The same table again changes nothing.
    """
    summary, before = Summary(), search.collection()

    def note(outcome: Outcome) -> None:
        summary.add(outcome)
        tell(outcome)

    version = before.bundle_version
    _check(table, version)
    info = described(before, table.info or before.info)
    if info != before.info:
        search.describe_collection(info)
    with BatchWriter(search, version, note) as writer:
        for result in _ready(table, images):
            if isinstance(result, Encoded):
                writer.add(result)
            else:
                note(result)
        writer.flush()
    return summary


def _check(table: CaseTable, version: str) -> None:
    """Look at all rows before the first is stored."""
    for row in table.rows():
        if row.bundle_version != version:
            raise Conflict(
                f"case {row.case.id} of the table has a latent of bundle {row.bundle_version}, the collection is of "
                f"{version}; `casekin index switch` to that bundle, or ingest the images"
            )


def _ready(table: CaseTable, images: Images) -> Iterator[Encoded | Outcome]:
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
    except ValueError as error:
        raise BadInput(f"case {row.case.id}: the digest or the latent cannot be") from error
    return Encoded(upload, image, note="")
