"""How far stated similarity lies from the share of matches that agreed, by group, with bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.evaluation.bootstrap import Interval, interval, samples
from training.evaluation.subgroups import SMALLEST

Floats = npt.NDArray[np.floating]


class Gap(NamedTuple):
    """Similarity of a group of matches."""

    stated: float
    """Mean similarity."""
    true: float
    """Share that shared the query's diagnosis."""
    difference: Interval
    """Stated less true, resampled by lesion of the query."""
    queries: int
    """That have such a match."""

    def __str__(self) -> str:
        """Return all of it in a line."""
        return f"stated {self.stated:.3f} true {self.true:.3f} gap {self.difference} of {self.queries} queries"


def gaps(
    stated: Floats, agrees: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_], lesions: Sequence[str]
) -> dict[str, Gap]:
    """Return the gap of each group of matches, given similarity, agreement and group of each [Q,k] and lesions [Q].

    Groups that fewer than `SMALLEST` queries have a match of are left out, as is the empty one.
    """
    drawn = samples(lesions)  # [R,Q]
    found = {}
    for name in np.unique(groups):
        has = groups == name
        queries = int(has.any(1).sum())
        if name and queries >= SMALLEST:
            sums = np.stack([(stated * has).sum(1), (agrees * has).sum(1), has.sum(1)])  # [3,Q]
            said, agreed, count = sums.sum(1)
            of_sample = sums @ drawn.T  # [3,R]
            with np.errstate(invalid="ignore"):  # a sample without the group
                spread = (of_sample[0] - of_sample[1]) / of_sample[2]
            found[str(name)] = Gap(
                float(said / count), float(agreed / count), interval(float((said - agreed) / count), spread), queries
            )
    return found


def largest(found: dict[str, Gap]) -> float:
    """Return the largest distance of stated from true; 0 where no group is large enough."""
    return max((abs(gap.difference.value) for gap in found.values()), default=0.0)
