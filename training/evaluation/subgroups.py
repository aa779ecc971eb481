"""Whether a figure holds for all: by site of the lesion, sex and age of the patient, and how the diagnosis was told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.cases import LabelledCase
from training.evaluation.figures import HEADLINE, MALIGNANT
from training.evaluation.intervals import Interval, retrieval_intervals
from training.evaluation.retrieval import Outcomes
from training.evaluation.split import Split

SMALLEST = 30
"""Queries below which a group's figures say more about chance than about the model; they are not given."""
SHOWN = ("p_at_1_micro", *HEADLINE)
AGES = (0, 30, 45, 60, 75)
"""Lower ends of age groups, years."""
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Group:
    """Queries of one kind; all find in the same gallery."""

    by: str
    name: str
    queries: int
    lesions: int
    malignant: int
    """Queries with a malignant diagnosis."""
    too_small: bool
    figures: dict[str, Interval]
    """Means over diagnoses are over those that the group has; empty where it is too small."""


def age_group(case: LabelledCase) -> str:
    """Return the age group of a case's patient."""
    if case.age is None:
        return UNKNOWN
    for low, high in pairwise(AGES):
        if case.age < high:
            return f"{low} to {high - 1}"
    return f"{AGES[-1]} and older"


GROUPINGS: Mapping[str, Callable[[LabelledCase], str]] = {
    "site": lambda case: case.site or UNKNOWN,
    "sex": lambda case: case.sex or UNKNOWN,
    "age": age_group,
    "evidence": lambda case: case.evidence or UNKNOWN,
}


def subgroups(split: Split, outcomes: Outcomes) -> list[Group]:
    """Return the figures of each group of queries, the largest group of each kind first, ages in order."""
    cases = [split.cases[row] for row in split.queries]
    result = []
    for by, of in GROUPINGS.items():
        names = np.array([of(case) for case in cases])
        found = [_group(by, str(name), outcomes.take(names == name)) for name in np.unique(names)]
        order = _by_age if by == "age" else _by_size
        result += sorted(found, key=order)
    return result


def _group(by: str, name: str, outcomes: Outcomes) -> Group:
    small = len(outcomes.truth) < SMALLEST
    measured = {} if small else retrieval_intervals(outcomes)
    return Group(
        by=by,
        name=name,
        queries=len(outcomes.truth),
        lesions=len(np.unique(outcomes.lesions)),
        malignant=int(np.isin(np.asarray(outcomes.classes)[outcomes.truth], MALIGNANT).sum()),
        too_small=small,
        figures={figure: measured[figure] for figure in SHOWN if figure in measured},
    )


def _by_size(group: Group) -> int:
    return -group.queries


def _by_age(group: Group) -> float:
    return float("inf") if group.name == UNKNOWN else float(group.name.split()[0])
