"""The factors that pictures were drawn from: the truth that disentanglement is measured against."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BINS = 10
"""Levels of a continuous factor: each then has enough pictures to estimate anything from."""


class Factor(NamedTuple):
    """One property that was chosen freely when a picture was drawn."""

    name: str
    ordered: bool
    """Whether its values are numbers; the shapes of sprites are mere classes."""


@dataclass(frozen=True)
class FactorTable:
    """The value of each factor for each of N pictures."""

    factors: tuple[Factor, ...]
    values: npt.NDArray[np.float64]
    """[N,F]; the number of the class where a factor is not ordered"""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.factors):
            raise ValueError(
                f"values have shape {self.values.shape}; there must be a column for each of {len(self.factors)} factors"
            )

    def levels(self) -> npt.NDArray[np.int64]:
        """Return values as level numbers [N,F]: as they are where there are few, else in `BINS` of equal count."""
        return np.stack([_levels(column) for column in self.values.T], 1)


def _levels(column: npt.NDArray[np.float64], most: int = 64) -> npt.NDArray[np.int64]:
    known, number = np.unique(column, return_inverse=True)
    if len(known) <= most:
        return number.astype(np.int64)
    edges = np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, column, side="right").astype(np.int64)
