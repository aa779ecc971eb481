"""What neighbours promise, tested on fold 0: similarity, probabilities, conformal sets, strangeness of odd pictures.

Calibrated anew on the folds that the bundle's training held back, as its export does, so that the promise is tested
and not the file. Test queries ask all other folds, as in use. ``python -m benchmarks.neighbours [DATA] [BUNDLE]``
"""

import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.oddities import oddities
from benchmarks.places import HAM10000, PROOF
from benchmarks.report import is_quick, report
from casekin.bundle import read_manifest
from casekin.contracts.bundle import NeighbourCalibration, StrangenessScale
from training.data.cases import read_collection
from training.data.image_cache import Pixels
from training.evaluation.evaluate import Material, gather
from training.evaluation.retrieval import Labelled
from training.evaluation.split import rows_in
from training.evaluation.systems import BundleSystem, learned_from, refuse_trained_on
from training.fit.fit import default_cache
from training.latent_space.recalibrate import Promises, evidence_of, measures_of, promises
from training.latent_space.vote_calibration import (
    cast_votes,
    latent_measures,
    nearest_lesions,
    probabilities,
    strangeness,
)

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

TEST = (0,)
QUICK_CASES = 1500
ODD_PICTURES = 150
TENTHS = 10
PARTS = 5
"""Into which test lesions are divided where the training held no fold back."""


class Told(NamedTuple):
    """What was promised to queries that nothing was calibrated by, and what is so."""

    labels: Ints
    """[Q], number of the diagnosis"""
    corrected: Floats
    """[Q,C], probabilities that the neighbours give, without the collection's prior"""
    plain: Floats
    """[Q,C], with it"""
    admitted: Bools
    """[Q,C], whether a diagnosis is in the conformal set"""
    distances: Floats
    """[Q,k], of each match"""
    similarity: Floats
    """[Q,k], likewise"""
    agrees: Bools
    """[Q,k], whether the match has the query's diagnosis"""


def main(data: Path, bundle: Path) -> None:
    """Measure under the clinical preset and report."""
    system, manifest = BundleSystem(bundle), read_manifest(bundle)
    refuse_trained_on(manifest, TEST)
    collection = read_collection(data)
    material = gather(system, collection, default_cache(), TEST, QUICK_CASES if is_quick() else None)
    cases, learned = material.split.cases, learned_from(manifest.provenance)
    trained, rest = rows_in(cases, learned.weights), _part(material, material.split.gallery)
    weights, told = system.presets["clinical"], []
    turns, evidence = _turns(material, rows_in(cases, learned.choices - set(TEST))), evidence_of(collection, material)
    for held, test in turns:
        made = promises(system, material, held, trained, evidence)
        told.append(_told(_part(material, test), rest, evidence[material.split.gallery], weights, made, system.classes))
    figures = _promises(Told(*(np.concatenate(part) for part in zip(*told, strict=True))), len(system.classes))
    odd, flagged = _strange(system, material, rest, made.neighbours, weights)
    circumstances: dict[str, float | str] = {"bundle": system.name, "cases": len(cases), "calibrated": len(turns)}
    report("neighbours", figures | odd, circumstances | flagged, quick=is_quick())


def _turns(material: Material, choices: Ints) -> list[tuple[Ints, Ints]]:
    """Return rows to calibrate on and to test on: folds kept for it, else test lesions, a fifth at a time by the rest.

    By fifths each query is told what was learned from the others alone (cross-fitting), and all count together.
    """
    test = material.split.queries
    if len(choices):
        return [(choices, test)]
    part = np.array([zlib.crc32(material.split.cases[row].lesion.encode()) % PARTS for row in test])
    return [(test[part != number], test[part == number]) for number in range(PARTS)]


def _part(material: Material, rows: Ints) -> Labelled:
    return material.split.labelled(rows, material.latents)


def _told(
    queries: Labelled,
    gallery: Labelled,
    evidence: Floats,
    weights: Floats,
    made: Promises,
    classes: list[str],
) -> Told:
    preset, curve = made.neighbours.presets["clinical"], made.similarity["clinical"]
    distances, rows = nearest_lesions(queries, gallery, weights, made.neighbours.neighbours)
    votes = cast_votes(distances, gallery.labels[rows], curve, evidence[rows], len(classes))
    prior = np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels)
    corrected = probabilities(votes.corrected(prior), preset.corrected)
    return Told(
        labels=queries.labels,
        corrected=corrected,
        plain=probabilities(votes, preset.plain),
        admitted=corrected >= np.array([preset.conformal[code] for code in classes]),
        distances=distances,
        similarity=np.interp(distances, [p.distance for p in curve], [p.share for p in curve]),
        agrees=gallery.labels[rows] == queries.labels[:, None],
    )


def _promises(told: Told, classes: int) -> dict[str, float]:
    labels = told.labels
    covered = told.admitted[np.arange(len(labels)), labels]
    balanced = 1 / np.bincount(labels, minlength=classes)[labels]
    return {
        "coverage": float(covered.mean()),
        "coverage_lowest": float(min(covered[labels == c].mean() for c in np.unique(labels))),
        "set_size": float(told.admitted.sum(1).mean()),
        "ece_corrected": _calibration_error(told.corrected, labels, balanced),
        "ece_plain": _calibration_error(told.plain, labels, np.ones(len(labels))),
        "similarity_gap": _worst_tenth(told),
    }


def _calibration_error(told: Floats, labels: Ints, weights: Floats) -> float:
    """Of the most probable diagnosis, ten bins of equal width (Guo 2017, equation 3); queries count by `weights`."""
    top, hit = told.max(1), told.argmax(1) == labels
    place = np.minimum((top * TENTHS).astype(int), TENTHS - 1)
    gaps = np.bincount(place, weights * (hit - top), TENTHS)
    return float(np.abs(gaps).sum() / weights.sum())


def _worst_tenth(told: Told) -> float:
    """The largest gap between what similarity says and what is so, over tenths of all matches from near to far.

    By distance, for each fifth of the queries has a curve of its own, learned without it: by what the curves say, those
    queries that a curve is too low for would gather in the lowest tenth, and be counted against it.
    """
    order = np.argsort(told.distances, axis=None, kind="stable")
    said, so = told.similarity.ravel(), told.agrees.ravel()
    return max(abs(float(said[part].mean() - so[part].mean())) for part in np.array_split(order, TENTHS))


def _strange(
    system: BundleSystem, material: Material, gallery: Labelled, calibration: NeighbourCalibration, weights: Floats
) -> tuple[dict[str, float], dict[str, float]]:
    scale, depth = calibration.presets["clinical"].strangeness, calibration.neighbours
    test = _looked_at(system, material.pixels[material.split.queries])
    usual = _score(test, gallery, weights, scale, depth)
    pictures = oddities(material.pixels[material.split.queries], ODD_PICTURES)
    odd = {kind: _score(_looked_at(system, made), gallery, weights, scale, depth) for kind, made in pictures.items()}
    figures = {"ood_auroc": _auroc(usual, np.concatenate(list(odd.values())))}
    figures |= {f"ood_auroc_{kind}": _auroc(usual, scores) for kind, scores in odd.items()}
    figures |= _left_out(system, material, test, gallery, weights, scale, depth)
    details = {f"{kind} flagged": float((scores > scale.image_limit).mean()) for kind, scores in odd.items()}
    return figures, details | {"usual images flagged": float((usual > scale.image_limit).mean())}


class LookedAt(NamedTuple):
    """Images as the encoder sees them."""

    latents: Floats
    """[N,D]"""
    measures: dict[str, Floats]
    """[N] each"""


def _looked_at(system: BundleSystem, pixels: Pixels) -> LookedAt:
    latents = system.embed(pixels)
    return LookedAt(latents, measures_of(system, pixels, latents))


def _left_out(
    system: BundleSystem,
    material: Material,
    test: LookedAt,
    gallery: Labelled,
    weights: Floats,
    scale: StrangenessScale,
    depth: int,
) -> Mapping[str, float]:
    """By diagnosis, how well its test images are told from the others' where the collection has none of it."""
    found = {}
    labels = material.split.labels[material.split.queries]
    for number, code in enumerate(system.classes):
        kept = gallery.labels != number
        lesions = [lesion for lesion, is_kept in zip(gallery.lesions, kept, strict=True) if is_kept]
        without = Labelled(gallery.latents[kept], gallery.labels[kept], lesions)
        scores = _score(test, without, weights, scale, depth)
        if (labels == number).any():
            found[f"left_out_auroc_{code}"] = _auroc(scores[labels != number], scores[labels == number])
    return found


def _score(images: LookedAt, gallery: Labelled, weights: Floats, scale: StrangenessScale, depth: int) -> Floats:
    """Strangeness [N] of images before a gallery."""
    nobody = Labelled(images.latents, np.zeros(len(images.latents), np.int64), [""] * len(images.latents))
    distances, _ = nearest_lesions(nobody, gallery, weights, depth)
    return strangeness(latent_measures(images.latents, distances) | images.measures, scale)


def _auroc(usual: Floats, odd: Floats) -> float:
    """The chance that an odd one scores above a usual one, ties counting half (Mann & Whitney 1947)."""
    order = np.sort(usual)
    below, upto = np.searchsorted(order, odd, "left"), np.searchsorted(order, odd, "right")
    return float(((below + upto) / 2).mean() / len(usual))


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [HAM10000, PROOF][len(given) :]))
