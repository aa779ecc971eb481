"""Retrieval figures by group of queries: site, sex, age, evidence and source of the image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.data.cases import LabelledCase
from training.evaluation.bootstrap import Interval, retrieval_intervals
from training.evaluation.metrics import HEADLINE
from training.evaluation.retrieval import Ints, Outcomes
from training.evaluation.split import Split

SMALLEST = 30
"""Queries below which a group's figures say more about chance than about the model; they are not given."""
FEWEST = 10
"""Queries of a diagnosis without which it has no part in a group's means over diagnoses; likewise malignant and benign
queries without which the group has no AUC. One query of a diagnosis would weigh as much as hundreds of another."""
SHOWN = ("p_at_1_micro", *HEADLINE)
AGES = (0, 30, 45, 60, 75)
"""Lower ends of age groups, years."""
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Group:
    """Queries of one kind, all with the same gallery."""

    by: str
    name: str
    queries: int
    lesions: int
    malignant: int
    """Queries with a malignant diagnosis."""
    diagnoses: int
    """Of which the group has at least `FEWEST` queries: what its means over diagnoses are over."""
    too_small: bool
    figures: dict[str, Interval]
    """Empty where the group is too small."""


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
    "source": lambda case: case.source or UNKNOWN,
}
WITHOUT_SOURCE = "without source"
"""All queries but those of one source: a source of mostly benign images flatters any figure of malignancy."""
RESTRICTIONS = ("evidence", WITHOUT_SOURCE)
"""Groups whose figures stand beside the headline."""


def subgroups(split: Split, outcomes: Outcomes) -> list[Group]:
    """Return the figures of each group of queries, the largest group of each kind first, ages in order."""
    cases = [split.cases[row] for row in split.queries]
    result = []
    for by, of in GROUPINGS.items():
        names = np.array([of(case) for case in cases])
        found = [_group(by, str(name), outcomes.take(names == name)) for name in np.unique(names)]
        order = _by_age if by == "age" else _by_size
        result += sorted(found, key=order)
    return result + _without_each_source(cases, outcomes)


def _without_each_source(cases: Sequence[LabelledCase], outcomes: Outcomes) -> list[Group]:
    sources = np.array([case.source for case in cases])
    names = [str(name) for name in np.unique(sources) if name]
    if len(set(sources.tolist())) < 2:
        return []  # without the only source nothing is left
    return [_group(WITHOUT_SOURCE, name, outcomes.take(sources != name)) for name in names]


def _group(by: str, name: str, outcomes: Outcomes) -> Group:
    small = len(outcomes.truth) < SMALLEST
    counts = np.bincount(outcomes.truth, minlength=len(outcomes.vocabulary))
    return Group(
        by=by,
        name=name,
        queries=len(outcomes.truth),
        lesions=len(np.unique(outcomes.lesions)),
        malignant=int(_malignant(outcomes).sum()),
        diagnoses=int((counts >= FEWEST).sum()),
        too_small=small,
        figures={} if small else _figures(outcomes, counts),
    )


def _figures(outcomes: Outcomes, counts: Ints) -> dict[str, Interval]:
    every = retrieval_intervals(outcomes)
    frequent = counts >= FEWEST
    # Of a single diagnosis there is no mean over diagnoses.
    measured = retrieval_intervals(outcomes.take(frequent[outcomes.truth])) if frequent.sum() > 1 else {}
    malignant = int(_malignant(outcomes).sum())
    has_auc = min(malignant, len(outcomes.truth) - malignant) >= FEWEST
    of_all = {"p_at_1_micro": True, "auc_malignant_16": has_auc}
    kept = {name: value for name, value in measured.items() if name not in of_all}
    kept |= {name: every[name] for name, given in of_all.items() if given}
    return {name: kept[name] for name in SHOWN if name in kept}


def _malignant(outcomes: Outcomes) -> npt.NDArray[np.bool_]:
    return np.asarray(outcomes.vocabulary.is_malignant[outcomes.truth])


def _by_size(group: Group) -> int:
    return -group.queries


def _by_age(group: Group) -> float:
    return float("inf") if group.name == UNKNOWN else float(group.name.split()[0])
