"""Cases with their latents, searched under weights: the nearest cases of a point of the latent space.

Q queries, N cases, D dimensions, k neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from casekin.contracts.base import Code
from casekin.errors import WrongLatent
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.exact_knn import ExactKnn, Floats, Indices


def scale_of(weights: Sequence[float]) -> Floats:
    """√w by dimension [D]: Euclidean distance between scaled latents is the weighted distance."""
    return np.sqrt(np.asarray(weights, np.float32))


@dataclass(frozen=True)
class WeightedKnn:
    """Weighted k-NN over the cases of a collection."""

    collection: CollectionLatents
    weights: list[float]

    @cached_property
    def _scale(self) -> Floats:
        return scale_of(self.weights)

    @cached_property
    def _neighbourhood(self) -> ExactKnn:
        return ExactKnn(self.collection.latents * self._scale)

    @cached_property
    def _codes(self) -> list[Code]:
        return sorted({code for code in self.collection.diagnoses if code is not None})

    @cached_property
    def _labels(self) -> npt.NDArray[np.int_]:
        """Of each case, its diagnosis as a row of `_codes`, or one beyond where it is unknown [N]."""
        number = {code: i for i, code in enumerate(self._codes)}
        return np.array([len(number) if code is None else number[code] for code in self.collection.diagnoses])

    def nearest(self, latents: npt.ArrayLike, k: int) -> tuple[Indices, npt.NDArray[np.float64]]:
        """The k nearest cases, or all: rows [Q,k] and weighted distances [Q,k]; raises `WrongLatent`."""
        queries = np.asarray(latents, np.float32)
        if queries.shape[1] != len(self._scale):
            raise WrongLatent(
                f"the latent has {queries.shape[1]} numbers; bundle {self.collection.bundle_version} has "
                f"{len(self._scale)} dimensions"
            )
        rows, distances = self._neighbourhood.of(queries * self._scale, min(k, len(self.collection.cases)))
        return rows, distances.astype(np.float64)

    def shares(self, groups: Sequence[Indices]) -> list[dict[Code, float]]:
        """Of the cases of each group whose diagnosis is known, the share of each diagnosis, most frequent first."""
        counts = np.zeros((len(groups), len(self._codes) + 1))
        group = np.repeat(np.arange(len(groups)), [len(rows) for rows in groups])
        np.add.at(counts, (group, self._labels[np.concatenate(groups)]), 1)
        counts = counts[:, :-1]
        order = np.argsort(-counts, axis=1, kind="stable").tolist()
        shares = (counts / np.maximum(counts.sum(1, keepdims=True), 1)).round(4).tolist()
        return [{self._codes[i]: of[i] for i in first if of[i]} for first, of in zip(order, shares, strict=True)]
