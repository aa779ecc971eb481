"""Fit the map of the whole collection."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import CaseId, Code, Preset
from casekin.contracts.projector import CaseMap, MapFit
from casekin.contracts.search import Collection, LatentPage
from casekin.errors import BadInput, Conflict
from services.projector.layout import Floats, lay_out
from services.projector.progress import Report, Stage

MIN_CASES = 5
_ATTEMPTS = 3


@dataclass(frozen=True)
class Gathered:
    """All cases of the collection as one revision of it has them."""

    bundle_version: str
    revision: str
    cases: list[CaseId]
    diagnoses: list[Code | None]
    latents: Floats
    """[N,D], standardised."""


def check_size(cases: int) -> None:
    """Raise `Conflict` for an empty collection and `BadInput` for one too small for a map."""
    if cases == 0:
        raise Conflict("the collection is empty; ingest cases first, then fit the map")
    if cases < MIN_CASES:
        raise BadInput(f"the collection has {cases} cases; a map needs at least {MIN_CASES}: ingest more")


def fit_map(job_id: str, payload: MapFit, search: SearchClient, encoder: EncoderClient, report: Report) -> CaseMap:
    """The map of the collection as it is now.

    Raises `Conflict` for an empty collection, one that keeps changing, or one of another bundle; `BadInput` if it is
    too small.
    """
    began = time.monotonic()
    gathered = _gather(search, report)
    points = np.ascontiguousarray(gathered.latents * _scale(payload.preset, gathered, encoder))
    xy = lay_out(
        points,
        neighbours=min(payload.neighbours, len(points) - 2),
        min_dist=payload.min_dist,
        seed=payload.seed,
        near_step=Stage(report, 0.1, 0.25, lambda done, total: f"neighbours of {done:,} of {total:,} cases"),
        epoch_step=Stage(report, 0.25, 0.98, lambda done, total: f"epoch {done} of {total}", last=True),
    )
    return CaseMap(
        id=job_id,
        bundle_version=gathered.bundle_version,
        revision=gathered.revision,
        preset=payload.preset,
        created=datetime.now(UTC),
        fit_s=round(time.monotonic() - began, 2),
        cases=gathered.cases,
        diagnoses=gathered.diagnoses,
        x=[round(float(x), 4) for x in xy[:, 0]],
        y=[round(float(y), 4) for y in xy[:, 1]],
    )


def _gather(search: SearchClient, report: Report) -> Gathered:
    """Read the collection until it did not change meanwhile."""
    before = search.collection()
    for _ in range(_ATTEMPTS):
        check_size(before.cases)
        pages = []
        stage = Stage(report, 0.0, 0.1, lambda done, total: f"{done:,} of {total:,} latents read")
        for page in search.latents():
            pages.append(page)
            stage(sum(len(read.cases) for read in pages), before.cases)
        after = search.collection()
        if after.revision == before.revision and after.bundle_version == before.bundle_version:
            return _join(after, pages)
        before = after
    raise Conflict(
        "the collection keeps changing while it is read (is an ingest running?); fit the map when it is done"
    )


def _join(collection: Collection, pages: list[LatentPage]) -> Gathered:
    cases = list(chain.from_iterable(page.cases for page in pages))
    return Gathered(
        bundle_version=collection.bundle_version,
        revision=collection.revision,
        cases=[case.id for case in cases],
        diagnoses=[case.diagnosis for case in cases],
        latents=np.concatenate([np.asarray(page.latents, np.float32) for page in pages if page.latents]),
    )


def _scale(preset: Preset, gathered: Gathered, encoder: EncoderClient) -> Floats:
    """√w by dimension [D]: Euclidean distance between scaled latents is the preset's weighted distance."""
    D = gathered.latents.shape[1]
    if preset == "visual":
        return np.ones(D, np.float32)
    manifest = encoder.model().manifest
    if manifest.version != gathered.bundle_version:
        raise Conflict(
            f"the collection is of bundle {gathered.bundle_version}, the encoder runs {manifest.version}; "
            "re-index the collection, then fit the map"
        )
    return np.sqrt(np.asarray(manifest.clinical_weights, np.float32))
