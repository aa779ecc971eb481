"""Exponential tails of measures: peaks over a threshold (Pickands 1975)."""

import numpy as np
import numpy.typing as npt

from casekin.contracts.bundle import Tail

Floats = npt.NDArray[np.floating]

TAIL = 0.05
"""Share of validation images in a tail."""


def upper_tail(values: Floats, share: float = TAIL) -> Tail:
    """Return where the upper `share` of values [n] begins and its mean excess over that."""
    beyond = float(np.quantile(values, 1 - share))
    excesses = values[values > beyond] - beyond
    return Tail(beyond=beyond, excess=float(max(excesses.mean() if len(excesses) else 0.0, 1e-9)))


def lower_tail(values: Floats) -> Tail:
    """Return the lower tail of values [n], likewise."""
    mirrored = upper_tail(-values)
    return Tail(beyond=-mirrored.beyond, excess=mirrored.excess)
