"""Calibration of neighbours on fold 0: similarity, probabilities, conformal sets, and the out-of-distribution flag.

Votes and similarity are calibrated again on held-out folds, as the export does, so that the method is tested and not
one file; where training held out no fold besides fold 0, by five-fold cross-validation within it. Similarity is
compared with the share of matches that agree by diagnosis and source of the match, and by source and evidence of the
query, with intervals over lesions in the details. The flag is tested at the threshold that ships in the bundle. Refuses
a bundle that was trained on fold 0. ``python -m benchmarks.neighbours [DATA] [BUNDLE]``
"""

import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.hard_set import hard_set
from benchmarks.oddities import oddities
from benchmarks.places import DATA, HAM10000, PROOF
from benchmarks.report import is_quick, report
from benchmarks.similarity_gaps import Gap, gaps, largest
from casekin.bundle import read_manifest
from casekin.collections import CollectionSpec, Columns, open_collection
from casekin.contracts.bundle import OutOfDistributionScale
from training.data.cases import LabelledCase, read_collection
from training.data.image_cache import Pixels, cached_pixels
from training.evaluation.evaluate import Material, gather
from training.evaluation.neighbour_votes import MatchSimilarity, cast_votes, probabilities
from training.evaluation.retrieval import Labelled, nearest_lesions
from training.evaluation.split import rows_in
from training.evaluation.subgroups import SMALLEST
from training.evaluation.systems import BundleSystem, learned_from, refuse_trained_on
from training.fit.fit import default_cache
from training.latent_space.recalibrate import Calibration, calibrate_rows, measures_of
from training.latent_space.vote_calibration import latent_measures, out_of_distribution_score

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

TEST = (0,)
QUICK_CASES = 1500
IMAGES_EACH = 150
"""Out-of-distribution images of each kind."""
TENTHS = 10
PARTS = 5
"""Parts of the cross-validation where training held out no fold besides the test fold."""
OTHER_CLINICS = ("isic2018_task2", "bcn20000_84px")
"""Real dermatoscopy of other clinics, measured where it lies beside HAM10000."""


class Predictions(NamedTuple):
    """Calibrated statements about Q queries that the calibration did not see."""

    labels: Ints
    """[Q], number of the diagnosis"""
    corrected: Floats
    """[Q,C], probabilities from the neighbours, without the collection's prior"""
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
    queries: Ints
    """[Q], row of each query in the collection"""
    matches: Ints
    """[Q,k], of each match"""

    def take(self, rows: Bools) -> "Predictions":
        """Return those of some queries."""
        return Predictions._make(part[rows] for part in self)


def main(data: Path, bundle: Path) -> None:
    """Measure under the clinical preset and report."""
    system, manifest = BundleSystem(bundle), read_manifest(bundle)
    refuse_trained_on(manifest, TEST)
    collection = read_collection(data)
    material = gather(system, collection, default_cache(), TEST, QUICK_CASES if is_quick() else None)
    cases, learned = material.split.cases, learned_from(manifest.provenance)
    gallery, weights = _part(material, material.split.gallery), system.presets["clinical"]
    trained = rows_in(cases, learned.weights)
    parts, flagged = [], []
    turns = _turns(material, rows_in(cases, learned.choices - set(TEST)))
    for held_out, test in turns:
        made = calibrate_rows(system, material, held_out, trained)
        parts.append(_predict(material, test, weights, made, system.classes))
        scale = made.neighbours.presets["clinical"].strangeness
        flag = Flag(scale, gallery, weights, made.neighbours.neighbours)
        flagged.append(flag.scores(system.embed(material.pixels[test]), system, material.pixels[test]) > flag.limit)
    found = Predictions(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    figures = calibration_figures(found, len(system.classes))
    by_group = _similarity_by_group(found, material)
    figures |= {
        "similarity_gap_by_diagnosis": largest(by_group["diagnosis of match"]),
        "similarity_gap_by_source": max(largest(by_group["source of match"]), largest(by_group["source of query"])),
        "similarity_gap_by_evidence": largest(by_group["evidence of query"]),
    }
    assert manifest.neighbours is not None
    shipped = manifest.neighbours
    flag = Flag(shipped.presets["clinical"].strangeness, gallery, weights, shipped.neighbours)
    figures |= {"flagged_usual": float(np.concatenate(flagged).mean())} | _out_of_distribution(system, material, flag)
    details: dict[str, float | str] = {"bundle": system.name, "cases": len(cases), "cross-validation parts": len(turns)}
    details |= _restricted(found, [cases[row] for row in found.queries], len(system.classes))
    details |= {f"similarity by {by} {name}": str(gap) for by, all in by_group.items() for name, gap in all.items()}
    details |= _other_clinics(system, data.parent, flag, material)
    report("neighbours", figures, details, quick=is_quick())


def _turns(material: Material, choices: Ints) -> list[tuple[Ints, Ints]]:
    """Return pairs of rows to calibrate on and to test on: held-out folds, or else the parts of a cross-validation."""
    test = material.split.queries
    if len(choices):
        return [(choices, test)]
    part = np.array([zlib.crc32(material.split.cases[row].lesion.encode()) % PARTS for row in test])
    return [(test[part != number], test[part == number]) for number in range(PARTS)]


def _part(material: Material, rows: Ints) -> Labelled:
    return material.split.labelled(rows, material.latents)


def _predict(material: Material, test: Ints, weights: Floats, made: Calibration, classes: list[str]) -> Predictions:
    preset, curve = made.neighbours.presets["clinical"], made.similarity["clinical"]
    queries, gallery = _part(material, test), _part(material, material.split.gallery)
    details = material.details.take(material.split.gallery)
    distances, rows = nearest_lesions(queries, gallery, weights, made.neighbours.neighbours)
    votes = cast_votes(distances, gallery.labels[rows], curve, details.vote_weights[rows], len(classes))
    prior = np.bincount(gallery.labels, minlength=len(classes)) / len(gallery.labels)
    corrected = probabilities(votes.corrected(prior), preset.corrected)
    latent = out_of_distribution_score(latent_measures(queries.latents, distances), preset.strangeness)
    scores = corrected * (1 + preset.widening * latent[:, None])
    return Predictions(
        labels=queries.labels,
        corrected=corrected,
        plain=probabilities(votes, preset.plain),
        admitted=scores >= np.array([preset.conformal[code] for code in classes]),
        distances=distances,
        similarity=MatchSimilarity(curve, preset, classes).of(gallery, rows, distances, details),
        agrees=gallery.labels[rows] == queries.labels[:, None],
        queries=test,
        matches=material.split.gallery[rows],
    )


def calibration_figures(found: Predictions, classes: int) -> dict[str, float]:
    """Return coverage and size of conformal sets, calibration errors, and the largest error of similarity."""
    labels = found.labels
    covered = found.admitted[np.arange(len(labels)), labels]
    balanced = 1 / np.bincount(labels, minlength=classes)[labels]
    return {
        "coverage": float(covered.mean()),
        "coverage_lowest": float(min(covered[labels == c].mean() for c in np.unique(labels))),
        "set_size": float(found.admitted.sum(1).mean()),
        "ece_corrected": _calibration_error(found.corrected, labels, balanced),
        "ece_plain": _calibration_error(found.plain, labels, np.ones(len(labels))),
        "similarity_gap": _worst_tenth(found),
    }


def _similarity_by_group(found: Predictions, material: Material) -> dict[str, dict[str, Gap]]:
    """Return the gaps of similarity by what groups matches, and by group."""
    cases, known = material.split.cases, material.details.values
    codes = np.array([case.diagnosis for case in cases])
    lesions = [cases[row].lesion for row in found.queries]
    alike = np.ones_like(found.matches)

    def by(groups: npt.NDArray[np.str_]) -> dict[str, Gap]:
        return gaps(found.similarity, found.agrees, groups, lesions)

    return {
        "diagnosis of match": by(codes[found.matches]),
        "source of match": by(known["source"][found.matches]),
        "evidence of match": by(known["evidence"][found.matches]),
        "source of query": by(known["source"][found.queries[:, None] * alike]),
        "evidence of query": by(known["evidence"][found.queries[:, None] * alike]),
    }


def _restricted(found: Predictions, queries: list[LabelledCase], classes: int) -> dict[str, str]:
    """Return the same figures without each source of images, and on each kind of evidence alone."""
    sources, evidence = (np.array([getattr(case, name) for case in queries]) for name in ("source", "evidence"))
    masks = {f"without source {name}": sources != name for name in np.unique(sources) if name}
    masks |= {f"evidence {name}": evidence == name for name in np.unique(evidence) if name}
    return {
        f"{name} ({mask.sum()} queries)": " ".join(
            f"{key} {value:.3f}" for key, value in calibration_figures(found.take(mask), classes).items()
        )
        for name, mask in masks.items()
        if mask.sum() >= SMALLEST
    }


def _calibration_error(stated: Floats, labels: Ints, weights: Floats) -> float:
    """Of the most probable diagnosis, ten bins of equal width (Guo 2017, equation 3); queries count by `weights`."""
    top, hit = stated.max(1), stated.argmax(1) == labels
    place = np.minimum((top * TENTHS).astype(int), TENTHS - 1)
    gaps = np.bincount(place, weights * (hit - top), TENTHS)
    return float(np.abs(gaps).sum() / weights.sum())


def _worst_tenth(found: Predictions) -> float:
    """Return the largest gap between stated similarity and the share that agrees, over tenths of all matches.

    Tenths by distance, since each part of the cross-validation has its own curve: by stated similarity, the queries
    whose curve is too low would gather in the lowest tenth and count against it.
    """
    order = np.argsort(found.distances, axis=None, kind="stable")
    stated, agrees = found.similarity.ravel(), found.agrees.ravel()
    return max(abs(float(stated[part].mean() - agrees[part].mean())) for part in np.array_split(order, TENTHS))


class Flag(NamedTuple):
    """The out-of-distribution flag of a bundle in front of a gallery."""

    scale: OutOfDistributionScale
    gallery: Labelled
    weights: Floats
    """[D]"""
    depth: int
    """Nearest lesions that the distance is a mean over."""

    @property
    def limit(self) -> float:
        """Score above which an image is flagged."""
        return self.scale.image_limit

    def scores(self, latents: Floats, system: BundleSystem, pixels: Pixels) -> Floats:
        """Return the out-of-distribution score [N] of images [N,H,W,3] with `latents` [N,D]."""
        return self.without(self.gallery, latents, measures_of(system, pixels, latents))

    def without(self, gallery: Labelled, latents: Floats, measures: Mapping[str, Floats]) -> Floats:
        """Return the score [N] in front of another gallery, given the measures [N] of the images."""
        unlabelled = Labelled(latents, np.zeros(len(latents), np.int64), [""] * len(latents))
        distances, _ = nearest_lesions(unlabelled, gallery, self.weights, self.depth)
        return out_of_distribution_score(latent_measures(latents, distances) | dict(measures), self.scale)


def _out_of_distribution(system: BundleSystem, material: Material, flag: Flag) -> dict[str, float]:
    """Return AUROC against the test images, and the share flagged at the bundle's threshold, by kind and over all."""
    test = material.pixels[material.split.queries]
    usual = flag.scores(system.embed(test), system, test)
    figures: dict[str, float] = {}
    for name, kinds in (("", oddities(test, IMAGES_EACH)), ("hard_", hard_set(test, IMAGES_EACH))):
        scores = {kind: flag.scores(system.embed(made), system, made) for kind, made in kinds.items()}
        together = np.concatenate(list(scores.values()))
        figures |= {f"{name}ood_auroc": auroc(usual, together)}
        figures |= {f"{name}flagged": float((together > flag.limit).mean())}
        figures |= {f"ood_auroc_{kind}": auroc(usual, one) for kind, one in scores.items()}
        figures |= {f"flagged_{kind}": float((one > flag.limit).mean()) for kind, one in scores.items()}
    return figures | _left_out(system, material, flag)


def _left_out(system: BundleSystem, material: Material, flag: Flag) -> dict[str, float]:
    """Return by diagnosis the AUROC of its test images against the others where the gallery has none of it."""
    found, gallery = {}, flag.gallery
    test = material.pixels[material.split.queries]
    labels, latents = material.split.labels[material.split.queries], system.embed(test)
    measures = measures_of(system, test, latents)
    for number, code in enumerate(system.classes):
        kept = gallery.labels != number
        lesions = [lesion for lesion, is_kept in zip(gallery.lesions, kept, strict=True) if is_kept]
        without = Labelled(gallery.latents[kept], gallery.labels[kept], lesions)
        scores = flag.without(without, latents, measures)
        if (labels == number).any():
            found[f"left_out_auroc_{code}"] = auroc(scores[labels != number], scores[labels == number])
    return found


def _other_clinics(system: BundleSystem, folder: Path, flag: Flag, material: Material) -> dict[str, float | str]:
    """Return the share flagged of evenly chosen images of other clinics, as far as they lie in `folder`.

    And how far the similarity that the bundle states of their matches holds.
    """
    found: dict[str, float | str] = {}
    for name in OTHER_CLINICS if folder == DATA else ():
        if (folder / name).is_dir():
            spec = CollectionSpec(title=name, columns=Columns(id="image_id", diagnosis="dx"))
            rows = open_collection(folder / name, spec).rows
            chosen = {row.case.id: row for row in rows[:: max(1, len(rows) // IMAGES_EACH)]}
            images = {id: row.image for id, row in chosen.items()}
            decoded = cached_pixels(images, list(images), system.input, default_cache() / "pixels")
            latents = system.embed(decoded.pixels)
            scores = flag.scores(latents, system, decoded.pixels)
            found[f"{name} flagged"] = float((scores > flag.limit).mean())
            diagnoses = [chosen[id].case.diagnosis or "" for id in decoded.ids]
            found[f"{name} similarity"] = _similarity_elsewhere(system, material, flag, latents, diagnoses)
    return found


def _similarity_elsewhere(
    system: BundleSystem, material: Material, flag: Flag, latents: Floats, diagnoses: list[str]
) -> str:
    """Return the gap of similarity over images of another clinic, whose lesions are not named."""
    ids = [f"other {number}" for number in range(len(latents))]
    queries = Labelled(latents, np.zeros(len(latents), np.int64), ids)
    distances, rows = nearest_lesions(queries, flag.gallery, flag.weights, flag.depth)
    details = material.details.take(material.split.gallery)
    stated = system.similarity["clinical"].of(flag.gallery, rows, distances, details)
    agrees = np.array(system.classes)[flag.gallery.labels[rows]] == np.array(diagnoses)[:, None]
    everything = np.full(rows.shape, "all")
    return ", ".join(map(str, gaps(stated, agrees, everything, ids).values()))


def auroc(usual: Floats, odd: Floats) -> float:
    """Return the chance that an odd image scores above a usual one, ties counting half (Mann & Whitney 1947)."""
    order = np.sort(usual)
    below, upto = np.searchsorted(order, odd, "left"), np.searchsorted(order, odd, "right")
    return float(((below + upto) / 2).mean() / len(usual))


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [HAM10000, PROOF][len(given) :]))
