"""Retrieval with queries of another clinic against the gallery of the collection, which holds no image of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casekin.errors import BadInput
from training.data.cases import LabelledCase, LabelledCollection, in_folds
from training.data.image_cache import cached_pixels
from training.data.vocabulary import Vocabulary
from training.evaluation.bootstrap import Interval, retrieval_intervals
from training.evaluation.metrics import AUC
from training.evaluation.retrieval import Floats, Labelled, Outcomes, retrieve
from training.evaluation.subgroups import SHOWN
from training.evaluation.systems import System


@dataclass(frozen=True)
class ClinicFigures:
    """Figures of queries of one clinic."""

    title: str
    folds: list[int]
    """Of the clinic's own collection."""
    queries: int
    lesions: int
    malignant: int
    """Queries with a malignant diagnosis."""
    unknown: dict[str, int]
    """Queries by diagnosis that the gallery has no case of: they count for the AUC of malignancy alone."""
    figures: dict[str, Interval]
    """By name, as far as the queries have them."""


def measure_clinic(
    system: System,
    clinic: LabelledCollection,
    folds: tuple[int, ...],
    gallery: Labelled,
    vocabulary: Vocabulary,
    weights: Floats,
    store: Path,
    limit: int | None = None,
) -> ClinicFigures:
    """Return the figures of a clinic's cases of `folds`, or of about `limit` of them, evenly chosen.

    `gallery` has labels of `vocabulary`; `weights` are [D]; decoded images are cached under `store`. A diagnosis that
    the vocabulary lacks is malignant or not as the clinic's collection says. It has a part in the AUC, whose votes are
    of malignancy, and none in the other figures, as no match could be right. Raises `BadInput` where no case of these
    folds can be read.
    """
    chosen = [clinic.cases[position] for position in in_folds(clinic.cases, folds)]
    chosen = chosen[:: max(1, len(chosen) // limit)] if limit else chosen
    decoded = cached_pixels(clinic.images, [case.id for case in chosen], system.input, store / "pixels")
    if not decoded.ids:
        raise BadInput(f"{clinic.info.title} has no readable image in fold {', '.join(map(str, folds))} to measure")
    readable = set(decoded.ids)
    cases = [case for case in chosen if case.id in readable]
    queries, together = _labelled(cases, system.embed(decoded.pixels), clinic, vocabulary)
    return _figures(retrieve(queries, gallery, weights, together), clinic.info.title, folds, len(vocabulary))


def _labelled(
    cases: list[LabelledCase], latents: Floats, clinic: LabelledCollection, vocabulary: Vocabulary
) -> tuple[Labelled, Vocabulary]:
    """Return the queries, and the vocabulary with the clinic's further diagnoses behind the known ones."""
    further = sorted({case.diagnosis for case in cases} - set(vocabulary.codes))
    described = [*vocabulary.described, *clinic.vocabulary(further).described]
    together = Vocabulary.of([*vocabulary.codes, *further], described)
    number: Mapping[str, int] = {code: position for position, code in enumerate(together.codes)}
    # The title keeps a lesion from being taken for one of the gallery with the same id.
    lesions = [f"{clinic.info.title}: {case.lesion}" for case in cases]
    return Labelled(latents, np.array([number[case.diagnosis] for case in cases]), lesions), together


def _figures(outcomes: Outcomes, title: str, folds: tuple[int, ...], known: int) -> ClinicFigures:
    codes, has_match = outcomes.vocabulary.codes, outcomes.truth < known
    figures = retrieval_intervals(outcomes.take(has_match)) if has_match.any() else {}
    figures.pop(AUC, None)
    if (auc := retrieval_intervals(outcomes).get(AUC)) is not None:
        figures[AUC] = auc
    numbers, counts = np.unique(outcomes.truth[~has_match], return_counts=True)
    return ClinicFigures(
        title=title,
        folds=list(folds),
        queries=len(outcomes.truth),
        lesions=len(np.unique(outcomes.lesions)),
        malignant=int(outcomes.vocabulary.is_malignant[outcomes.truth].sum()),
        unknown={codes[number]: int(count) for number, count in zip(numbers, counts, strict=True)},
        figures={name: figures[name] for name in SHOWN if name in figures},
    )
