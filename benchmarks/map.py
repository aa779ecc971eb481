"""The map beside umap-learn's own: CPU time, quality, and how well a case that was left out is placed.

Latents come from the bundle that was trained without fold 0. The cases of fold 0 are left out of a fit and placed on
it; a fit of all cases says where they belong. Both maps are aligned by Procrustes over the cases that both have.
umap-learn does the same with its seeded ``transform`` between two fits of its own. How far two layouts differ is in
part chance of their seed: the figures are medians over five seeds, of which each stands beside.

umap-learn compiles parts of itself at its first fit of over 4,096 points, and we compile at our first fit: both are
warmed up with as many points as are then measured. `fit_ratio` compares CPU seconds of all threads, medians of `RUNS`
fits each, taken in turns. Synthetic latents, in Gaussian clusters, show time and memory of large fits, each in a
process of its own. QUICK=1: 4,235 of the cases, one seed, one run, and a small synthetic fit of which half is placed.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.collection import Encoded, encoded
from benchmarks.report import is_quick, report
from casekin.contracts.maps import CaseMap, MapFit, MapPlace, MapQuality, MapVersion
from casekin.contracts.projector import Progress
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.weighted_knn import scale_of
from services.projector.projection.fit import Layout, lay_out_collection
from services.projector.projection.placement import PlacementMap, build_placement_map, place_on
from services.projector.projection.procrustes import rigid, width
from services.projector.projection.quality import assess
from services.projector.projection.umap_layout import warm_up

Plane = NDArray[np.floating]
T = TypeVar("T")
PLAIN = MapFit(start="pca")
OTHER_SEEDS = (1, 2, 3, 4)
SYNTHETIC, SYNTHETIC_QUICK = ((100_000, 100_000), (1_000_000, 100_000)), ((4_000, 2_000),)
"""Cases, and how many of them UMAP lays out."""
PLACED = 500
RUNS = 3
"""Timed fits of each."""
WARM_UP_OVER = 4_096
"""Points from which on umap-learn searches neighbours by its own compiled code, not by all distances."""


def main() -> None:
    """Measure and report."""
    known = encoded(every=2 if is_quick() else 1)
    weights = np.array(known.manifest.clinical_weights)
    points = np.ascontiguousarray(known.collection.latents * scale_of(weights.tolist()))
    times = _time_fits(points, known.collection, 1 if is_quick() else RUNS)
    ours, plain = times.ours, times.plain
    quality, plain_quality = (_quality(points, known.collection, xy) for xy in (ours.xy, plain))
    fitted = _case_map(known.collection, ours, weights, quality)
    without = _without_fold_0(known, points, weights, PLAIN.seed)
    displaced, transformed = [_displaced(without, ours.xy)], [_transformed(without, points, plain, PLAIN.seed)]
    for seed in () if is_quick() else OTHER_SEEDS:
        again = lay_out_collection(points, known.collection, _seeded(seed), None, _silent)
        other = _without_fold_0(known, points, weights, seed)
        displaced.append(_displaced(other, again.xy))
        transformed.append(_transformed(other, points, _plain(points, seed).embedding_, seed))
    figures = {
        **_placing_time(fitted, known.collection),
        "place_displacement": float(np.median(displaced)),
        "umap_transform_displacement": float(np.median(transformed)),
        "trustworthiness_gap": plain_quality.trustworthiness - quality.trustworthiness,
        "fit_ratio": times.ratio,
    }
    details: dict[str, float | str] = {
        "bundle": known.manifest.version,
        "cases": len(points),
        **times.details(),
        "trustworthiness": quality.trustworthiness,
        "continuity": quality.continuity,
        "umap_continuity": plain_quality.continuity,
        "place_displacement by seed": " ".join(f"{one:.4f}" for one in displaced),
        "umap_transform_displacement by seed": " ".join(f"{one:.4f}" for one in transformed),
        "agreement": " ".join(f"{a.diagnosis} {a.on_map:.2f}/{a.in_latent:.2f}" for a in quality.agreement),
        **_aligned(known, points, weights, without),
    }
    for cases, at_most in SYNTHETIC_QUICK if is_quick() else SYNTHETIC:
        figures |= _synthetic(cases, at_most)
    report("map", figures, details, quick=is_quick())


@dataclass(frozen=True)
class FitTimes:
    """Seconds of fits of the same points by us and by umap-learn, both warm, and the last layout of each."""

    ours: Layout
    plain: Plane
    ours_cpu_s: list[float]
    plain_cpu_s: list[float]
    ours_wall_s: list[float]
    plain_wall_s: list[float]
    first_plain_cpu_s: float
    """umap-learn's first fit, while it compiles."""

    @property
    def ratio(self) -> float:
        """Our CPU seconds over umap-learn's, medians."""
        return float(np.median(self.ours_cpu_s) / np.median(self.plain_cpu_s))

    def details(self) -> dict[str, float]:
        """Medians, and the first fit of umap-learn."""
        return {
            "fit_cpu_s": float(np.median(self.ours_cpu_s)),
            "umap_fit_cpu_s": float(np.median(self.plain_cpu_s)),
            "fit_s": float(np.median(self.ours_wall_s)),
            "umap_fit_s": float(np.median(self.plain_wall_s)),
            "umap_first_fit_cpu_s": self.first_plain_cpu_s,
        }


def _time_fits(points: Plane, collection: CollectionLatents, runs: int) -> FitTimes:
    """Fit in turns, `runs` times each, after both have done the same once."""
    if len(points) <= WARM_UP_OVER:
        raise SystemExit(f"{len(points)} cases are too few: umap-learn takes another path from {WARM_UP_OVER} on")
    warm_up()

    def fit_ours() -> Layout:
        return lay_out_collection(points, collection, PLAIN, None, _silent)

    def fit_plain() -> Plane:
        return np.asarray(_plain(points, PLAIN.seed).embedding_)

    _, first_s, _ = _timed(fit_plain)
    _timed(fit_ours)
    ours, plain = [], []
    for _ in range(runs):
        ours.append(_timed(fit_ours))
        plain.append(_timed(fit_plain))
    return FitTimes(
        ours=ours[-1][0],
        plain=plain[-1][0],
        ours_cpu_s=[cpu for _, cpu, _ in ours],
        plain_cpu_s=[cpu for _, cpu, _ in plain],
        ours_wall_s=[wall for _, _, wall in ours],
        plain_wall_s=[wall for _, _, wall in plain],
        first_plain_cpu_s=first_s,
    )


def _placing_time(fitted: CaseMap, collection: CollectionLatents) -> dict[str, float]:
    """Milliseconds of placing one query on a warm map, and whether two placement maps agree on all to the bit."""
    queries = collection.latents[:: max(1, len(collection.cases) // PLACED)] + np.float32(0.01)
    payloads = [MapPlace(bundle_version=collection.bundle_version, latent=latent.tolist()) for latent in queries]
    once, took = _place_all(build_placement_map(fitted, collection), payloads)
    again, _ = _place_all(build_placement_map(fitted, collection), payloads)
    return {"place_p95_ms": float(np.percentile(took, 95)), "place_identical": float(once == again)}


def _place_all(placement_map: PlacementMap, payloads: list[MapPlace]) -> tuple[list[str], list[float]]:
    placed, took = [], []
    for payload in payloads:
        began = time.perf_counter()
        placed.append(place_on(placement_map, payload).model_dump_json())
        took.append((time.perf_counter() - began) * 1000)
    return placed, took


@dataclass(frozen=True)
class Without:
    """A fit without fold 0, and where its cases are placed then."""

    held_out: NDArray[np.bool_]
    """[N]: of fold 0."""
    part: CollectionLatents
    laid: Layout
    placed: Plane


def _seeded(seed: int) -> MapFit:
    return PLAIN.model_copy(update={"seed": seed})


def _without_fold_0(known: Encoded, points: Plane, weights: Plane, seed: int) -> Without:
    held_out = known.fold == 0
    part = known.collection.part(np.flatnonzero(~held_out))
    laid = lay_out_collection(points[~held_out], part, _seeded(seed), None, _silent)
    placement_map = build_placement_map(_case_map(part, laid, weights, None), part)
    around = placement_map.knn.nearest(known.collection.latents[held_out], MapPlace.model_fields["neighbours"].default)
    return Without(held_out, part, laid, placement_map.places(*around))


def _displaced(without: Without, ours: Plane) -> float:
    """Median distance of the left-out cases from where the full fit `ours` puts them, share of that map's width."""
    held_out = without.held_out
    return _displacement(without.laid.xy, ours[~held_out], without.placed, ours[held_out], width(ours))


def _transformed(without: Without, points: Plane, plain: Plane, seed: int) -> float:
    """The same of umap-learn's own transform, beside its full fit `plain`."""
    held_out = without.held_out
    model = _plain(points[~held_out], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        put = np.asarray(model.transform(points[held_out]))
    return _displacement(model.embedding_, plain[~held_out], put, plain[held_out], width(plain))


def _aligned(known: Encoded, points: Plane, weights: Plane, without: Without) -> dict[str, float]:
    """As the collection grows: fold 0 comes in, and the map is fitted anew from the old one."""
    held_out, laid = without.held_out, without.laid
    before = _case_map(without.part, laid, weights, _quality(points[~held_out], without.part, laid.xy))
    refit = lay_out_collection(points, known.collection, PLAIN, before, _silent)
    far = _displacement(laid.xy, refit.xy[~held_out], without.placed, refit.xy[held_out], width(refit.xy))
    return {"refit_moved": refit.moved or 0.0, "place_displacement_from_refit": far}


def _displacement(part: Plane, onto: Plane, placed: Plane, there: Plane, wide: float) -> float:
    turn, shift = rigid(part.astype(np.float64), onto.astype(np.float64))
    return float(np.median(np.linalg.norm(placed @ turn + shift - there, axis=1)) / wide)


def _quality(points: Plane, collection: CollectionLatents, xy: Plane) -> MapQuality:
    about, places = points.astype(np.float32), xy.astype(np.float32)
    return assess(
        about,
        places,
        collection.diagnoses,
        collection.lesions,
        k=PLAIN.neighbours,
        min_dist=PLAIN.min_dist,
        moved=None,
    )


def _case_map(collection: CollectionLatents, laid: Layout, weights: Plane, quality: MapQuality | None) -> CaseMap:
    nothing = {"neighbours": 0, "looked_at": 0, "trustworthiness": 0, "continuity": 0, "agreement": [], "placing": []}
    version = MapVersion(
        id="0" * 32,
        bundle_version=collection.bundle_version,
        revision=collection.revision,
        recipe=PLAIN,
        weights=weights.tolist(),
        created=datetime.now(UTC),
        fit_s=0,
        cases=len(collection.cases),
        fitted=laid.fitted,
        quality=quality or MapQuality.model_validate(nothing),
        link="/v1/maps/" + "0" * 32,
    )
    x, y = laid.xy.astype(float).T.tolist()
    return CaseMap(version=version, cases=collection.cases, diagnoses=collection.diagnoses, x=x, y=y)


def _plain(points: Plane, seed: int) -> Any:
    """umap-learn as its documentation shows it, seeded."""
    import umap  # noqa: PLC0415 -- slow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a seed makes it sequential, it says
        return umap.UMAP(n_neighbors=PLAIN.neighbours, min_dist=PLAIN.min_dist, random_state=seed).fit(points)


def _timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What `work` returns, CPU seconds of all threads, and seconds on the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return made, time.process_time() - cpu, time.perf_counter() - wall


def _synthetic(cases: int, at_most: int) -> dict[str, float]:
    """Seconds and peak memory of a fit of that many cases, in a process of its own."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_send_figures, args=(there, cases, at_most))
    process.start()
    seconds, megabytes = here.recv()
    process.join()
    return {f"fit_{cases}_s": seconds, f"fit_{cases}_mb": megabytes}


def _send_figures(line: Any, cases: int, at_most: int) -> None:
    line.send((fit_synthetic(cases, at_most), _peak_mb()))


def _peak_mb() -> float:
    """Of this process alone: `getrusage` would begin with what the process that started it had."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def fit_synthetic(cases: int, at_most: int) -> float:
    """Seconds that a fit of so many synthetic cases takes."""
    collection = synthetic(cases)
    warm_up()
    return _timed(lambda: lay_out_collection(collection.latents, collection, PLAIN, None, _silent, at_most=at_most))[2]


def synthetic(
    cases: int, *, dimensions: int = 32, bundle_version: str = "synthetic", revision: str = "1"
) -> CollectionLatents:
    """So many cases in 50 clusters of unequal size."""
    rng = np.random.default_rng(1)
    cluster = np.minimum(rng.geometric(0.1, cases), 50)
    latents = rng.normal(0, 2, (51, dimensions))[cluster] + rng.normal(size=(cases, dimensions))
    names = [f"S{row:07d}" for row in range(cases)]
    return CollectionLatents(
        bundle_version, revision, names, [None] * cases, [None] * cases, latents.astype(np.float32)
    )


def _silent(progress: Progress) -> None:
    """Nobody watches."""
    del progress


if __name__ == "__main__":
    main()
