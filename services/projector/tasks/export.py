"""``export``: the collection as a table, written page by page: it is never in memory as a whole."""

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.cases import LatentPage
from casekin.contracts.collection import Collection
from casekin.contracts.export import TABLE_TYPE, Export, ExportResult
from casekin.contracts.maps import CaseMap
from casekin.errors import Conflict
from services.projector.jobs.progress import Report, Stage
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.rollout_subject import choose_map

if TYPE_CHECKING:
    from casekin.parquet import TableRow

Places = Mapping[CaseId, tuple[float, float]]


class ExportHandler(JobHandler[Export, ExportResult]):
    """On the queue of fits: it takes seconds to minutes."""

    payload, result, queue = Export, ExportResult, "maps"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a fit."""
        return settings.fit_limit_s

    def prepare(self, payload: Export, tools: SubmissionTools) -> tuple[Export, list[str]]:
        """Name the map; raises `NotFound`."""
        collection = tools.search.collection()
        map_id = choose_map(payload.map_id, collection.bundle_version, tools.maps)
        return payload.model_copy(update={"map_id": map_id}), [collection.bundle_version, collection.revision]

    def run(self, job: RunningJob[Export], tools: WorkerTools) -> ExportResult:
        """Raises `Conflict` where the collection changed meanwhile."""
        map_id = job.payload.map_id
        places = places_of(CaseMap.model_validate_json(tools.maps.read(map_id)) if map_id else None)
        collection, size = job.attach(".parquet", lambda stream: write_table(stream, tools.search, places, job.report))
        return ExportResult(
            bundle_version=collection.bundle_version,
            revision=collection.revision,
            map_id=map_id,
            cases=collection.cases,
            media_type=TABLE_TYPE,
            size=size,
            link=job.file_link,
        )


def places_of(fitted: CaseMap | None) -> Places:
    """Where each case lies on the map."""
    return {} if fitted is None else dict(zip(fitted.cases, zip(fitted.x, fitted.y, strict=True), strict=True))


def write_table(stream: IO[bytes], search: SearchClient, places: Places, report: Report) -> Collection:
    """Write all cases as `casekin.parquet` has them; returns the collection that they are of.

    Raises `Conflict` where the collection changed meanwhile.
    """
    from casekin.parquet import CaseTableWriter  # noqa: PLC0415 -- slow to import, and only exports need it

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
        raise Conflict("the collection changed while it was written (is an ingest running?); export again")
    return after


def _rows(page: LatentPage, search: SearchClient) -> "list[TableRow]":
    from casekin.parquet import TableRow  # noqa: PLC0415 -- see write_table

    digests = search.digests([case.id for case in page.cases])
    return [
        TableRow(case, digests.get(case.id), page.bundle_version, latent)
        for case, latent in zip(page.cases, page.latents, strict=True)
    ]
