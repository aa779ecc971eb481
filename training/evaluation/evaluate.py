"""All figures of a model on a collection, as one record that `evaluation.json` holds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from casekin.collections import ImageSource
from training.data.cases import LabelledCollection
from training.data.image_cache import Pixels, cached_pixels
from training.evaluation.baselines import frozen_imagenet, mean_colour, random_latents
from training.evaluation.bootstrap import Interval, diagnosis_intervals, retrieval_intervals
from training.evaluation.calibration import Reliability, divided_by_prior, of_probabilities, of_similarity
from training.evaluation.leakage import LeakAudit, audit_leaks
from training.evaluation.reconstruction import Reconstruction, reconstruction
from training.evaluation.retrieval import Floats, Outcomes
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


@dataclass(frozen=True)
class Evaluation:
    """`evaluation.json`."""

    system: str
    classes: list[str]
    query_folds: list[int]
    warnings: list[str]
    """Reasons not to believe the figures."""
    licence: str
    citation: str
    measured: Measured
    baselines: dict[str, dict[str, Interval]]
    """By system and name; other systems that were given as vectors among them."""
    confusion: list[list[int]]
    """Queries by diagnosis (row) and diagnosis of the first match (column), in the order of `classes`."""
    leaks: LeakAudit
    reconstruction: Reconstruction | None
    reliability: list[Reliability]
    """Of the class head and of votes of 16 matches, plain and divided by prior."""
    similarity: list[Reliability]
    """Of what a match's similarity says, by preset."""
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
    split = Split(cases, system.classes, query_folds)
    log.info("encoding %d images", len(cases))
    return Material(split, collection.images, decoded.pixels, system.embed(decoded.pixels))


def measure(split: Split, presets: Sequence[Vectors]) -> Measured:
    """Return the retrieval figures of a model under its presets, of which the first is the headline."""
    outcomes = {vectors.name: split.ask(vectors) for vectors in presets}
    first = next(iter(outcomes.values()))
    counts = np.bincount(first.truth, minlength=len(split.classes))
    return Measured(
        figures={name: retrieval_intervals(found) for name, found in outcomes.items()},
        by_diagnosis=diagnosis_intervals(first),
        queries={code: int(count) for code, count in zip(split.classes, counts, strict=True) if count},
        lesions=len(np.unique(first.lesions)),
        gallery=len(split.gallery),
        subgroups=subgroups(split, first),
    )


def baselines(material: Material, store: Path) -> list[Vectors]:
    """Return what the model must beat on the same cases."""
    ids = [case.id for case in material.split.cases]
    frozen = frozen_imagenet(material.sources, ids, store)
    return [frozen, mean_colour(material.pixels), random_latents(len(ids))]


def evaluate(system: System, material: Material, others: Sequence[Vectors]) -> Evaluation:
    """Measure a model beside other systems on the same cases."""
    split, latents = material.split, material.latents
    presets = under_presets(system, latents)
    outcomes = split.ask(presets[0])
    found = warnings_about(learned_from(system.provenance), split.query_folds)
    for warning in found:
        log.warning(warning)
    log.info("retrieval, subgroups, baselines, leaks")
    measured = measure(split, presets)
    compared = {vectors.name: retrieval_intervals(split.ask(vectors)) for vectors in others}
    leaks = audit_leaks(split, presets[0], material.pixels)
    log.info("reconstruction, calibration")
    rebuilt = reconstruction(system, system.output, split, latents, material.pixels) if system.output else None
    said = [of_similarity(split, v, system.similarity[v.name]) for v in presets if v.name in system.similarity]
    reliable = _reliability(system, material, outcomes)
    log.info("robustness")
    return Evaluation(
        system=system.name,
        classes=list(split.classes),
        query_folds=list(split.query_folds),
        warnings=found,
        licence=system.provenance.licence,
        citation=system.provenance.citation,
        measured=measured,
        baselines=compared,
        confusion=_confusion(outcomes),
        leaks=leaks,
        reconstruction=rebuilt,
        reliability=reliable,
        similarity=said,
        robustness=robustness(system, split, presets[0], material.sources),
    )


def _reliability(system: System, material: Material, outcomes: Outcomes) -> list[Reliability]:
    split = material.split
    gallery = split.labels[split.gallery]
    prior = np.bincount(gallery, minlength=len(split.classes)) / len(gallery)
    said = system.probabilities(material.latents[split.queries])
    of_head = [] if said is None else [("class head", said), ("class head by prior", divided_by_prior(said, prior))]
    of_votes = [("votes of 16", outcomes.shares), ("votes of 16 by prior", outcomes.shares_by_prior)]
    return [of_probabilities(name, probabilities, outcomes) for name, probabilities in of_head + of_votes]


def _confusion(outcomes: Outcomes) -> list[list[int]]:
    size = len(outcomes.classes)
    table = np.zeros((size, size), int)
    np.add.at(table, (outcomes.truth, outcomes.found[:, 0]), 1)
    return [[int(count) for count in row] for row in table]
