"""The collection as a table, written page by page: it never is in memory as a whole."""

from collections.abc import Mapping
from typing import IO

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.maps import CaseMap
from casekin.contracts.search import Collection, LatentPage
from casekin.errors import Conflict
from casekin.parquet import CaseTableWriter, TableRow
from services.projector.jobs.progress import Report, Stage

Places = Mapping[CaseId, tuple[float, float]]


def places_of(fitted: CaseMap | None) -> Places:
    """Where each case lies on the map."""
    return {} if fitted is None else dict(zip(fitted.cases, zip(fitted.x, fitted.y, strict=True), strict=True))


def write_table(stream: IO[bytes], search: SearchClient, places: Places, report: Report) -> Collection:
    """Write all cases as `casekin.parquet` has them; returns the collection that they are of.

    Raises `Conflict` where the collection changed meanwhile.
    """
    before = search.collection()
    stage = Stage(report, 0.0, 1.0, lambda done, total: f"{done:,} of {total:,} cases", last=True)
    done = 0
    with CaseTableWriter(stream, before.info) as table:
        for page in search.latents():
            if page.cases:
                table.add(_rows(page, search), places)
            done += len(page.cases)
            stage(done, before.cases)
    after = search.collection()
    if (after.revision, after.bundle_version) != (before.revision, before.bundle_version):
        raise Conflict("the collection changed while it was written (is an ingest running?); ask for it again")
    return after


def _rows(page: LatentPage, search: SearchClient) -> list[TableRow]:
    digests = search.digests([case.id for case in page.cases])
    return [
        TableRow(case, digests.get(case.id), page.bundle_version, latent)
        for case, latent in zip(page.cases, page.latents, strict=True)
    ]
