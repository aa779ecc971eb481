"""Default names of latent dimensions: the diagnosis that one points to, or the image property that it follows."""

from collections.abc import Sequence

import numpy as np

from training.latent_space.axes import Floats, standardised
from training.latent_space.study import Study

LEAST_CORRELATION = 0.5
"""Below it a name would claim too much."""


def dimension_names(study: Study) -> list[str]:
    """Return a name for each of D dimensions; its number where no diagnosis and no measured property goes with it."""
    train = study.rows(study.folds.train)
    guided = study.model.diagnosis_dimensions
    directions = study.head_weights @ study.axes.inverse[:guided]  # [C,D]
    given: list[str | None] = [None] * len(study.mean)
    for number, code in enumerate(study.collection.classes if len(directions) <= guided else []):
        given[int(directions[number].argmax())] = f"Towards {code}"
    return name_dimensions(study.latents[train], study.factors.values[train], study.factors.names, given)


def name_dimensions(
    latents: Floats, factors: Floats, factor_names: Sequence[str], given: Sequence[str | None]
) -> list[str]:
    """Return a name for each dimension of latents [N,D]: the given one, else the factor it follows, else its number.

    Factors are [N,F], NaN in rows without them. A factor names at most one dimension, the one that correlates with it
    most, and only from a correlation of 0.5 on.
    """
    known = np.isfinite(factors).all(1)
    correlation = standardised(latents[known]).T @ standardised(factors[known]) / known.sum()  # [D,F]
    correlation[[name is not None for name in given]] = 0
    result = [name or f"Dimension {index + 1}" for index, name in enumerate(given)]
    for _ in factor_names:
        dimension, factor = np.unravel_index(np.abs(correlation).argmax(), correlation.shape)
        if abs(correlation[dimension, factor]) < LEAST_CORRELATION:
            break
        result[dimension] = factor_names[factor]
        correlation[dimension] = correlation[:, factor] = 0
    return result
