"""Divide cases into queries and gallery."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.cases import LabelledCase, occurring_diagnoses
from training.data.vocabulary import Vocabulary
from training.evaluation.retrieval import Floats, Ints, Labelled, Outcomes, retrieve


@dataclass(frozen=True)
class Vectors:
    """A system by its latents of all cases: a baseline, a bundle under one preset, a model that ran elsewhere."""

    name: str
    latents: Floats
    """[N,D], in the order of the cases"""
    weights: Floats
    """[D]"""


@dataclass(frozen=True)
class Split:
    """Cases of which some are queries and the others the gallery."""

    cases: Sequence[LabelledCase]
    vocabulary: Vocabulary
    query_folds: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise ValueError for an empty side, or a diagnosis that the vocabulary lacks."""
        if not len(self.queries) or not len(self.gallery):
            raise ValueError(
                f"folds {self.query_folds} hold {len(self.queries)} queries and leave {len(self.gallery)} cases to "
                "find; name other folds"
            )
        known = self.vocabulary.codes
        if unknown := set(occurring_diagnoses(self.cases)) - set(known):
            raise ValueError(f"the model knows {', '.join(known)}, but cases have {', '.join(sorted(unknown))}")

    @property
    def labels(self) -> Ints:
        """[N], number of each case's diagnosis."""
        number = {code: position for position, code in enumerate(self.vocabulary.codes)}
        return np.array([number[case.diagnosis] for case in self.cases])

    @property
    def queries(self) -> Ints:
        """Positions of the queries."""
        return rows_in(self.cases, self.query_folds)

    @property
    def gallery(self) -> Ints:
        """Positions of the gallery."""
        return np.setdiff1d(np.arange(len(self.cases)), self.queries)

    def labelled(self, rows: Ints, latents: Floats) -> Labelled:
        """Return the cases at `rows`, given the latents [N,D] of all cases."""
        return Labelled(latents[rows], self.labels[rows], [self.cases[row].lesion for row in rows])

    def retrieve(self, vectors: Vectors) -> Outcomes:
        """Return the matches of the queries."""
        queries, gallery = (self.labelled(rows, vectors.latents) for rows in (self.queries, self.gallery))
        return retrieve(queries, gallery, vectors.weights, self.vocabulary)


def rows_in(cases: Sequence[LabelledCase], folds: Collection[int]) -> Ints:
    """Return the positions of the cases of these folds."""
    return np.flatnonzero([case.fold in folds for case in cases])
