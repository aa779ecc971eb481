"""The collection as a table, written page by page: it never is in memory as a whole."""

import csv
import io
import json
from collections.abc import Mapping
from typing import IO

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.maps import CaseMap
from casekin.contracts.search import Case, Collection
from casekin.errors import Conflict
from services.projector.progress import Report, Stage

FIELDS = ("id", "lesion_id", "diagnosis", "evidence", "age", "sex", "site", "source")
Places = Mapping[CaseId, tuple[float, float]]


def places_of(fitted: CaseMap | None) -> Places:
    """Where each case lies on the map."""
    return {} if fitted is None else dict(zip(fitted.cases, zip(fitted.x, fitted.y, strict=True), strict=True))


def write_table(stream: IO[bytes], search: SearchClient, places: Places, report: Report) -> Collection:
    """Write all cases; returns the collection that they are of.

    Columns: those of a case, its further ones as JSON, its place on the map, its latent. Raises `Conflict` where the
    collection changed meanwhile.
    """
    before = search.collection()
    stage = Stage(report, 0.0, 1.0, lambda done, total: f"{done:,} of {total:,} cases", last=True)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer, done = csv.writer(text), 0
    for page in search.latents():
        if done == 0 and page.cases:
            writer.writerow(_head(len(page.latents[0])))
        writer.writerows(_line(case, latent, places) for case, latent in zip(page.cases, page.latents, strict=True))
        done += len(page.cases)
        stage(done, before.cases)
    text.detach()
    after = search.collection()
    if (after.revision, after.bundle_version) != (before.revision, before.bundle_version):
        raise Conflict("the collection changed while it was written (is an ingest running?); ask for it again")
    return after


def _head(dimensions: int) -> list[str]:
    return [*FIELDS, "attributes", "map_x", "map_y", *(f"latent_{index + 1}" for index in range(dimensions))]


def _line(case: Case, latent: list[float], places: Places) -> list[object]:
    known = case.model_dump()
    attributes = json.dumps(case.attributes, ensure_ascii=False, sort_keys=True) if case.attributes else None
    return [*(known[name] for name in FIELDS), attributes, *places.get(case.id, (None, None)), *latent]
