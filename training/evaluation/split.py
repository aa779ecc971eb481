"""Who asks and who answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.cases import LabelledCase, vocabulary
from training.evaluation.retrieval import Floats, Ints, Labelled, Outcomes, ask


@dataclass(frozen=True)
class Vectors:
    """A system as its latents of all cases: a baseline, a bundle under one preset, a model that ran elsewhere."""

    name: str
    latents: Floats
    """[N,D], in the order of the cases"""
    weights: Floats
    """[D]"""


@dataclass(frozen=True)
class Split:
    """Cases of which some are queries and the others the gallery."""

    cases: Sequence[LabelledCase]
    classes: Sequence[str]
    """Diagnoses; a label is a position in it."""
    query_folds: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise ValueError where nothing is asked or nothing can answer, or a diagnosis is not in the vocabulary."""
        if not len(self.queries) or not len(self.gallery):
            raise ValueError(
                f"folds {self.query_folds} hold {len(self.queries)} queries and leave {len(self.gallery)} cases to "
                "find; name other folds"
            )
        if unknown := set(vocabulary(self.cases)) - set(self.classes):
            raise ValueError(f"the model knows {', '.join(self.classes)}, but cases have {', '.join(sorted(unknown))}")

    @property
    def labels(self) -> Ints:
        """[N], number of each case's diagnosis."""
        number = {code: position for position, code in enumerate(self.classes)}
        return np.array([number[case.diagnosis] for case in self.cases])

    @property
    def queries(self) -> Ints:
        """Positions of the cases that are asked about."""
        return rows_in(self.cases, self.query_folds)

    @property
    def gallery(self) -> Ints:
        """Positions of the cases that can be found."""
        return np.setdiff1d(np.arange(len(self.cases)), self.queries)

    def labelled(self, rows: Ints, latents: Floats) -> Labelled:
        """Return the cases at `rows` with theirs of the latents [N,D] of all cases."""
        return Labelled(latents[rows], self.labels[rows], [self.cases[row].lesion for row in rows])

    def ask(self, vectors: Vectors) -> Outcomes:
        """Return what the queries find."""
        queries, gallery = (self.labelled(rows, vectors.latents) for rows in (self.queries, self.gallery))
        return ask(queries, gallery, vectors.weights, self.classes)


def rows_in(cases: Sequence[LabelledCase], folds: Collection[int]) -> Ints:
    """Return the positions of the cases of these folds."""
    return np.flatnonzero([case.fold in folds for case in cases])
