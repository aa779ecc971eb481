"""Fit the map of the whole collection and say how good it is."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from casekin.clients import EncoderClient
from casekin.contracts.base import Preset
from casekin.contracts.maps import CaseMap, MapFit, MapQuality, MapVersion
from casekin.errors import BadInput, Conflict
from services.projector.jobs.progress import Report, Stage
from services.projector.latents.collection_latents import CollectionLatents, CollectionReader, stable_sample
from services.projector.latents.exact_knn import ExactKnn, Floats
from services.projector.latents.weighted_knn import scale_of
from services.projector.projection.map_store import MapStore
from services.projector.projection.out_of_sample import attracted
from services.projector.projection.quality import Rows, assess
from services.projector.projection.umap_layout import Labels, UmapSettings, lay_out
from services.projector.projection.warm_start import start_from

MIN_CASES = 5
FIT_AT_MOST = 100_000
"""Cases that UMAP lays out; the others are placed among them."""
PLACED_AMONG = 15
_CHUNK = 4096


@dataclass(frozen=True)
class Layout:
    """A finished layout of all cases: [N,2]."""

    xy: Floats
    fitted: int
    moved: float | None


def check_size(cases: int) -> None:
    """Raise `Conflict` for an empty collection and `BadInput` for one too small for a map."""
    if cases == 0:
        raise Conflict("the collection is empty; ingest cases first, then fit the map")
    if cases < MIN_CASES:
        raise BadInput(f"the collection has {cases} cases; a map needs at least {MIN_CASES}: ingest more")


def fit_map(
    job_id: str, payload: MapFit, reader: CollectionReader, maps: MapStore, encoder: EncoderClient, report: Report
) -> CaseMap:
    """The map of the collection as it is now.

    Raises `Conflict` for an empty collection, one that keeps changing, or one of another bundle; `BadInput` if it is
    too small.
    """
    began = time.monotonic()
    collection = reader.current(Stage(report, 0.0, 0.1, lambda done, total: f"{done:,} of {total:,} latents read"))
    check_size(len(collection.cases))
    weights = weights_of(payload.preset, collection, encoder)
    points = np.ascontiguousarray(collection.latents * scale_of(weights))
    laid = lay_out_collection(points, collection, payload, _start_map(payload, maps), report)
    version = MapVersion(
        id=job_id,
        bundle_version=collection.bundle_version,
        revision=collection.revision,
        recipe=payload,
        weights=weights,
        created=datetime.now(UTC),
        fit_s=round(time.monotonic() - began, 2),
        cases=len(collection.cases),
        fitted=laid.fitted,
        quality=_quality(points, collection, laid, payload),
        link=f"/v1/maps/{job_id}",
    )
    return CaseMap(
        version=version,
        cases=collection.cases,
        diagnoses=collection.diagnoses,
        x=[round(float(x), 4) for x in laid.xy[:, 0]],
        y=[round(float(y), 4) for y in laid.xy[:, 1]],
    )


def lay_out_collection(
    points: Floats,
    collection: CollectionLatents,
    payload: MapFit,
    before: CaseMap | None,
    report: Report,
    *,
    at_most: int = FIT_AT_MOST,
) -> Layout:
    """Lay out `at_most` cases and place the others among them; turned onto the map `before`."""
    rows = stable_sample(collection.cases, at_most)
    part = collection.part(rows)
    start = start_from(before, points[rows], part.cases, payload.min_dist) if before else None
    xy = np.empty((len(points), 2), np.float32)
    xy[rows] = lay_out(
        points[rows],
        UmapSettings(min(payload.neighbours, len(rows) - 2), payload.min_dist, payload.seed),
        near_step=Stage(report, 0.1, 0.2, lambda done, total: f"neighbours of {done:,} of {total:,} cases"),
        epoch_step=Stage(report, 0.2, 0.8, lambda done, total: f"epoch {done} of {total}", last=True),
        start=start.xy if start else None,
        labels=_labels(part) if payload.supervised else None,
    )
    moved = None
    if start:
        xy[rows], moved = start.turned(xy[rows])
    _place_rest(xy, points, rows, payload.min_dist, report)
    return Layout(xy, len(rows), moved)


def _place_rest(xy: Floats, points: Floats, rows: Rows, min_dist: float, report: Report) -> None:
    """Fill in the cases of `xy` [N,2] that are not among the `rows` laid out."""
    rest = np.setdiff1d(np.arange(len(points)), rows)
    if not len(rest):
        return
    stage = Stage(report, 0.8, 0.95, lambda done, total: f"{done:,} of {total:,} cases placed", last=True)
    near, distances = ExactKnn(points[rows]).of(points[rest], PLACED_AMONG, stage)
    for first in range(0, len(rest), _CHUNK):
        some = slice(first, first + _CHUNK)
        around = xy[rows[near[some]]].astype(np.float64)
        xy[rest[some]] = attracted(around, distances[some].astype(np.float64), min_dist)


def _quality(points: Floats, collection: CollectionLatents, laid: Layout, payload: MapFit) -> MapQuality:
    rows = stable_sample(collection.cases, laid.fitted)
    diagnoses, lesions = ([of[row] for row in rows] for of in (collection.diagnoses, collection.lesions))
    k, min_dist = payload.neighbours, payload.min_dist
    return assess(points[rows], laid.xy[rows], diagnoses, lesions, k=k, min_dist=min_dist, moved=laid.moved)


def _start_map(payload: MapFit, maps: MapStore) -> CaseMap | None:
    assert payload.start != "latest", "the handler names it"
    return None if payload.start == "pca" else CaseMap.model_validate_json(maps.read(payload.start))


def weights_of(preset: Preset, collection: CollectionLatents, encoder: EncoderClient) -> list[float]:
    """The preset's weights [D]; raises `Conflict` where the encoder runs another bundle."""
    if preset == "visual":
        return [1.0] * collection.latents.shape[1]
    manifest = encoder.model().manifest
    if manifest.version != collection.bundle_version:
        raise Conflict(
            f"the collection is of bundle {collection.bundle_version}, the encoder runs {manifest.version}; "
            "re-index the collection, then fit the map"
        )
    return manifest.clinical_weights


def _labels(collection: CollectionLatents) -> Labels:
    """A number for each diagnosis, -1 where it is unknown [N]."""
    number = {code: i for i, code in enumerate(sorted({code for code in collection.diagnoses if code is not None}))}
    return np.array([-1 if code is None else number[code] for code in collection.diagnoses], np.int32)
