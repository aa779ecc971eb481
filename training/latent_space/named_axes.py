"""Turn the diagnosis dimensions so that as many as possible follow something that has a name.

The turn is orthogonal in the space whose distances the clinical weights measure, so no distance and no neighbour
changes. Axes of attributes come first, as the network has directions for them. The others are taken one by one: each is
the direction, among those orthogonal to the ones before, along which a named target is predicted best. What is left
over are principal axes without a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from training.data.attribute_images import FEWEST
from training.latent_space.attributes import fold_wise_auc, group_folds
from training.latent_space.axes import principal
from training.models.ridge import cross_fitted, direction

Floats = npt.NDArray[np.floating]

Kind = Literal["measure", "diagnosis"]
ORDER: tuple[Kind, ...] = ("measure", "diagnosis")
"""Of kinds: a diagnosis only for what is left."""
LEAST_AUC = 0.75
"""Of an axis named after a diagnosis."""
LEAST_CORRELATION = 0.4
"""Rank correlation of an axis named after a measure."""


TOWARDS = "Towards "
LONGEST_NAME = 60
"""Characters, as the contract `casekin.contracts.names.DimensionName` says."""


@dataclass(frozen=True)
class Target:
    """Something with a name that an axis may follow."""

    name: str
    kind: Kind
    means: Floats
    """[N,S], diagnosis dimensions of the images that teach it, in the space to be turned"""
    values: Floats
    """[N]: 1 or 0 of a diagnosis, a number of a measure; NaN where it is not known"""
    groups: npt.NDArray[np.str_]
    """[N], lesions or patients"""

    @property
    def least(self) -> float:
        """Return the agreement from which on an axis may have the name."""
        return LEAST_CORRELATION if self.kind == "measure" else LEAST_AUC


@dataclass(frozen=True)
class NamedAxes:
    """Orthonormal rows with the names of those that follow a target."""

    matrix: Floats
    """[S,S]"""
    names: tuple[str | None, ...]
    """S"""


def name_axes(
    means: Floats,
    targets: Sequence[Target],
    attributes: Mapping[str, Floats] = MappingProxyType({}),
    chosen: Sequence[str] | None = None,
) -> NamedAxes:
    """Return the axes of diagnosis dimensions whose training images have `means` [N,S].

    `attributes` have known directions [S], by name: their axes are the nearest orthonormal ones (Higham 1989). Then
    come measures, then diagnoses; within a kind, the target that agrees best goes first. A target gets an axis if,
    cross-validated by lesion among directions orthogonal to the earlier axes, it reaches `LEAST_AUC` or
    `LEAST_CORRELATION`. Where an earlier run has `chosen` names, these get an axis whatever they reach, and no others.
    """
    known = {name: axis / np.linalg.norm(axis) for name, axis in attributes.items() if chosen is None or name in chosen}
    taken = list(zip(known, _orthonormal(list(known.values())), strict=True))
    rest = _complement([axis for _, axis in taken], means.shape[1])  # [R,S]
    waiting = [target for target in targets if chosen is None or target.name in chosen]
    while len(rest) and (waiting := _fitting(waiting, rest, whatever=chosen is not None)):
        first, *waiting = waiting
        axis = direction(first.means @ rest.T, _ranked(first)) @ rest
        if (length := np.linalg.norm(axis)) > 0:
            taken.append((first.name, axis / length))
            rest = _complement([axis for _, axis in taken], means.shape[1])
    if len(rest):
        rest = principal(means @ rest.T) @ rest
    names = (*(name for name, _ in taken), *([None] * len(rest)))
    return NamedAxes(np.concatenate([*(axis[None] for _, axis in taken), rest]), names)


def _orthonormal(axes: Sequence[Floats]) -> list[Floats]:
    """Return the orthonormal set nearest to unit vectors, their polar factor."""
    if not axes:
        return []
    left, _, right = np.linalg.svd(np.stack(axes), full_matrices=False)
    return list(left @ right)


def _complement(axes: Sequence[Floats], size: int) -> Floats:
    """Return orthonormal rows [R,S] for what is orthogonal to all orthonormal axes."""
    return np.linalg.svd(np.stack(axes))[2][len(axes) :] if axes else np.eye(size)


def _fitting(waiting: Sequence[Target], rest: Floats, *, whatever: bool) -> list[Target]:
    """Return the targets that may get an axis within `rest` [R,S], the next one first: those that agree, or all.

    Less room hardly makes a target agree better, so that one which falls short now is given up.
    """
    reached = {id(target): agreement(target, rest) for target in waiting}
    fit = [target for target in waiting if whatever or reached[id(target)] >= target.least]
    return sorted(fit, key=lambda target: (ORDER.index(target.kind), -reached[id(target)]))


def agreement(target: Target, basis: Floats) -> float:
    """Return how well directions within rows `basis` [R,S] predict the target: AUC, or rank correlation of a measure.

    Cross-validated by lesion; -inf where too few images tell.
    """
    known = np.isfinite(target.values)
    values, groups = target.values[known], target.groups[known]
    fewest = min((values > 0).sum(), (values <= 0).sum()) if target.kind != "measure" else known.sum() / 2
    if fewest < FEWEST or values.std() == 0:
        return -np.inf
    folds = group_folds(groups)
    predicted = cross_fitted(target.means[known] @ basis.T, _ranked(target)[known][:, None], folds)[:, 0]
    if target.kind != "measure":
        return fold_wise_auc(predicted, values > 0, folds)
    return rank_correlation(predicted, values) if predicted.std() > 0 else -np.inf


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation of two [N]."""
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _ranked(target: Target) -> Floats:
    """Return the values [N], of a measure as ranks in 0..1: one far-off value must not turn the axis."""
    if target.kind != "measure":
        return target.values
    known, result = np.isfinite(target.values), np.full(len(target.values), np.nan)
    result[known] = rankdata(target.values[known]) / known.sum()
    return result


def names_towards(diagnoses: Sequence[str]) -> list[str]:
    """Return `Towards melanoma` and so on, each of at most 60 characters, no two alike and none a diagnosis' own name.

    `diagnoses` are their names in the collection.
    """
    taken = {name.casefold() for name in diagnoses}
    result = []
    for name in diagnoses:
        # An acronym keeps its capitals.
        plain = name[:1].lower() + name[1:] if not name[1:2].isupper() else name
        result.append(unlike(TOWARDS + plain, taken))
        taken.add(result[-1].casefold())
    return result


def unlike(name: str, taken: set[str]) -> str:
    """Return the name, numbered where it is among those `taken` (casefolded), cut to 60 characters."""
    candidate, number = name[:LONGEST_NAME].strip(), 1
    while candidate.casefold() in taken:
        number += 1
        ending = f" ({number})"
        candidate = name[: LONGEST_NAME - len(ending)].strip() + ending
    return candidate
