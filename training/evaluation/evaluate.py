"""All figures of a model on a collection, as one record that `evaluation.json` holds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter

from casekin.collections import ImageSource
from training.data.cases import LabelledCollection
from training.data.image_cache import Pixels, cached_pixels
from training.evaluation.baselines import OWN_FEATURES, cosine, frozen_imagenet, mean_colour, random_latents
from training.evaluation.bootstrap import Interval, diagnosis_intervals, retrieval_intervals
from training.evaluation.calibration import Reliability, divided_by_prior, of_probabilities, of_similarity
from training.evaluation.leakage import LeakAudit, audit_leaks
from training.evaluation.metrics import by_diagnosis, counted_once
from training.evaluation.neighbour_votes import CaseDetails
from training.evaluation.other_clinics import ClinicFigures
from training.evaluation.reconstruction import Reconstruction, reconstruction
from training.evaluation.retrieval import VALUES, Floats, Ints, Outcomes
from training.evaluation.robustness import robustness
from training.evaluation.split import Split, Vectors
from training.evaluation.subgroups import Group, subgroups
from training.evaluation.systems import System, learned_from, under_presets, warnings_about

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """Retrieval of a model under its presets; the card shows it."""

    figures: dict[str, dict[str, Interval]]
    """By preset and name."""
    by_diagnosis: dict[str, dict[str, Interval]]
    """Under the first preset, by diagnosis and name."""
    queries: dict[str, int]
    """By diagnosis."""
    lesions: int
    """Of the queries."""
    gallery: int
    """Cases that could be found."""
    subgroups: list[Group]
    """Under the first preset."""
    reconstruction: Reconstruction | None = None
    """None for a model without a decoder."""
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    """By preset and diagnosis, the share of the 10 nearest cases that have the query's diagnosis."""
    other_clinics: list[ClinicFigures] = field(default_factory=list)
    """Of queries of other clinics, under the first preset, before the same gallery."""


@dataclass(frozen=True)
class Evaluation:
    """`evaluation.json`."""

    system: str
    classes: list[str]
    malignant: list[str]
    """Those of `classes` that the collection calls malignant."""
    names: dict[str, str]
    """By code, as the collection calls the diagnoses."""
    query_folds: list[int]
    warnings: list[str]
    """Reasons not to trust the figures."""
    licence: str
    citation: str
    measured: Measured
    baselines: dict[str, dict[str, Interval]]
    """By system and name; other systems that were given as vectors among them."""
    confusion: list[list[int]]
    """Queries by diagnosis (row) and diagnosis of the first match (column), in the order of `classes`."""
    leaks: LeakAudit
    reliability: list[Reliability]
    """Of the class head and of votes of 16 matches, plain and divided by prior."""
    similarity: list[Reliability]
    """Of a match's stated similarity, by preset."""
    robustness: dict[str, dict[str, Interval]]
    """By disturbance of the queries and name."""

    def to_json(self) -> bytes:
        """Return the record as JSON."""
        return TypeAdapter(Evaluation).dump_json(self, indent=1)

    @staticmethod
    def from_json(data: bytes) -> "Evaluation":
        """Return the record that `to_json` wrote; raises pydantic's ValidationError for anything else."""
        return TypeAdapter(Evaluation).validate_json(data)


@dataclass(frozen=True)
class Material:
    """A collection as a model sees it, with its latents."""

    split: Split
    sources: Mapping[str, ImageSource]
    """Files by id of the case."""
    pixels: Pixels
    """uint8 [N,H,W,3], of the model's input size"""
    latents: Floats
    """[N,D]"""
    details: CaseDetails
    """Of the N cases."""


def gather(
    system: System,
    collection: LabelledCollection,
    store: Path,
    query_folds: tuple[int, ...],
    limit: int | None = None,
) -> Material:
    """Encode a collection, or its first `limit` cases."""
    ids = [case.id for case in collection.cases[:limit]]
    decoded = cached_pixels(collection.images, ids, system.input, store / "pixels")
    readable = set(decoded.ids)
    cases = [case for case in collection.cases[:limit] if case.id in readable]
    split = Split(cases, collection.vocabulary(system.classes), query_folds)
    log.info("encoding %d images", len(cases))
    details = CaseDetails.of(cases, collection.info.evidence_weights)
    return Material(split, collection.images, decoded.pixels, system.embed(decoded.pixels), details)


def measure(split: Split, presets: Sequence[Vectors], rebuilt: Reconstruction | None) -> Measured:
    """Return the figures of a model under its presets, of which the first is the headline."""
    outcomes = {vectors.name: split.retrieve(vectors) for vectors in presets}
    first = next(iter(outcomes.values()))
    counts = np.bincount(first.truth, minlength=len(split.vocabulary))
    return Measured(
        figures={name: retrieval_intervals(found) for name, found in outcomes.items()},
        by_diagnosis=diagnosis_intervals(first),
        queries={code: int(count) for code, count in zip(split.vocabulary.codes, counts, strict=True) if count},
        lesions=len(np.unique(first.lesions)),
        gallery=len(split.gallery),
        subgroups=subgroups(split, first),
        reconstruction=rebuilt,
        agreement={name: _agreement(found) for name, found in outcomes.items()},
    )


def _agreement(outcomes: Outcomes) -> dict[str, float]:
    """Return by diagnosis the share of the 10 nearest cases that have the query's diagnosis."""
    means = by_diagnosis(outcomes, counted_once(outcomes))[0, :, VALUES.index("p_at_10")]
    pairs = zip(outcomes.vocabulary.codes, means, strict=True)
    return {code: round(float(mean), 4) for code, mean in pairs if not np.isnan(mean)}


def rebuilt_by(system: System, material: Material) -> Reconstruction | None:
    """Return how well a system decodes the queries; None for one without a decoder."""
    if system.output is None:
        return None

    def decode(rows: Ints) -> torch.Tensor:
        return torch.from_numpy(system.reconstruct(material.latents[rows]))

    return reconstruction(decode, material.latents.shape[1], system.output, material.split, material.pixels)


def baselines(system: System, material: Material, store: Path) -> list[Vectors]:
    """Return simpler systems on the same cases: the model's own features unrefitted, ImageNet's, colours, chance."""
    ids = [case.id for case in material.split.cases]
    own = system.features(material.pixels)
    learned = [] if own is None else [cosine(OWN_FEATURES, own)]
    frozen = frozen_imagenet(material.sources, ids, store)
    return [*learned, frozen, mean_colour(material.pixels), random_latents(len(ids))]


def evaluate(system: System, material: Material, others: Sequence[Vectors]) -> Evaluation:
    """Measure a model beside other systems on the same cases."""
    split, latents = material.split, material.latents
    presets = under_presets(system, latents)
    outcomes = split.retrieve(presets[0])
    found = warnings_about(learned_from(system.provenance), split.query_folds)
    for warning in found:
        log.warning(warning)
    log.info("retrieval, subgroups, reconstruction, baselines, leaks")
    measured = measure(split, presets, rebuilt_by(system, material))
    compared = {vectors.name: retrieval_intervals(split.retrieve(vectors)) for vectors in others}
    leaks = audit_leaks(split, presets[0], material.pixels)
    log.info("calibration")
    details = material.details.take(split.gallery)
    stated = [
        of_similarity(split, v, system.similarity[v.name], details) for v in presets if v.name in system.similarity
    ]
    reliable = _reliability(system, material, outcomes)
    log.info("robustness")
    return Evaluation(
        system=system.name,
        classes=list(split.vocabulary.codes),
        malignant=list(split.vocabulary.malignant),
        names={code: split.vocabulary.name(code) for code in split.vocabulary.codes},
        query_folds=list(split.query_folds),
        warnings=found,
        licence=system.provenance.licence,
        citation=system.provenance.citation,
        measured=measured,
        baselines=compared,
        confusion=_confusion(outcomes),
        leaks=leaks,
        reliability=reliable,
        similarity=stated,
        robustness=robustness(system, split, presets[0], material.sources),
    )


def _reliability(system: System, material: Material, outcomes: Outcomes) -> list[Reliability]:
    split = material.split
    gallery = split.labels[split.gallery]
    prior = np.bincount(gallery, minlength=len(split.vocabulary)) / len(gallery)
    head = system.probabilities(material.latents[split.queries])
    of_head = [] if head is None else [("class head", head), ("class head by prior", divided_by_prior(head, prior))]
    of_votes = [("votes of 16", outcomes.shares), ("votes of 16 by prior", outcomes.shares_by_prior)]
    return [of_probabilities(name, probabilities, outcomes) for name, probabilities in of_head + of_votes]


def _confusion(outcomes: Outcomes) -> list[list[int]]:
    size = len(outcomes.vocabulary)
    table = np.zeros((size, size), int)
    np.add.at(table, (outcomes.truth, outcomes.found[:, 0]), 1)
    return [[int(count) for count in row] for row in table]
