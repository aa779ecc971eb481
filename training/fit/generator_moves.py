"""Latents to train the generator on: those of images, some with their ranking dimensions moved.

Shapes: N training images, D dimensions, S ranking dimensions, which come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Floats = npt.NDArray[np.floating]

ENDS = ((0.01, 0.3), (0.7, 0.99))
"""Quantiles between which the low and the high end of a move along one dimension are drawn."""


@dataclass(frozen=True)
class Coordinates:
    """The exported latent: coordinates of mean 0 and variance 1 over the training images, and their map."""

    centre: Tensor
    """[D], of the network's own latents."""
    matrix: Tensor
    """[D,D]: (latent - centre) @ matrix.T are the exported coordinates before standardisation."""
    mean: Tensor
    """[D], of those."""
    std: Tensor
    """[D]"""
    shares: Tensor
    """[S], of the clinical distance among the ranking dimensions; sums to 1."""
    latents: Tensor
    """[N,D], standardised, of the training images in order."""

    @staticmethod
    def of(
        centre: Floats, matrix: Floats, mean: Floats, std: Floats, weights: Floats, latents: Floats, ranking: int
    ) -> "Coordinates":
        """Return the coordinates of exported axes; `weights` [D] are the clinical ones, `ranking` is S."""
        shares = np.asarray(weights[:ranking]) / np.sum(weights[:ranking])
        return Coordinates(*(_tensor(part) for part in (centre, matrix, mean, std, shares, latents)))

    @property
    def ranking(self) -> int:
        """S."""
        return len(self.shares)

    def to_raw(self, standard: Tensor) -> Tensor:
        """Return the network's own latents [B,D] of standardised ones [B,D]."""
        raw: Tensor = (standard * self.std + self.mean) @ torch.linalg.inv(self.matrix).T + self.centre
        return raw

    def of_ranking(self, raw: Tensor) -> Tensor:
        """Return the standardised ranking coordinates [B,S] of the network's own diagnosis dimensions [B,S]."""
        S = self.ranking
        exported = (raw - self.centre[:S]) @ self.matrix[:S, :S].T
        return (exported - self.mean[:S]) / self.std[:S]

    def readable(self, standard: Tensor) -> Tensor:
        """Return the ranking coordinates [B,S] that an encoder can read of latents [B,D].

        It reads points of a sphere; a latent moved along one dimension lies beside it.
        """
        S = self.ranking
        return self.of_ranking(functional.normalize(self.to_raw(standard)[:, :S]) * S**0.5)

    def whitening(self) -> tuple[Tensor, Tensor]:
        """Return centre [D] and matrix [D,D] so that (raw - centre) @ matrix are the standardised coordinates."""
        return self.centre + torch.linalg.solve(self.matrix, self.mean), self.matrix.T / self.std


@dataclass(frozen=True)
class Moved:
    """A batch of latents [B,D] in four parts: as they are, swapped, and the low and the high end of one dimension."""

    rows: Tensor
    """[own + swapped + pairs], of the training images that they start from."""
    own: Tensor
    swapped: Tensor
    low: Tensor
    high: Tensor
    dimension: int
    """That the ends differ in."""

    @property
    def latents(self) -> Tensor:
        """All of them."""
        return torch.cat([self.own, self.swapped, self.low, self.high])


@dataclass(frozen=True)
class Sizes:
    """Latents of each kind in a batch."""

    own: int = 8
    swapped: int = 8
    pairs: int = 4


def draw_moves(coordinates: Coordinates, labels: Sequence[int], sizes: Sizes, random: np.random.Generator) -> Moved:
    """Return a batch for images of these labels [N], each diagnosis drawn in proportion to the root of its share.

    Swapped latents have the ranking dimensions of an image of another diagnosis, half of them only in part.
    """
    known, S = np.asarray(labels), coordinates.ranking
    chance = 1 / np.sqrt(np.bincount(known)[known])
    chance /= chance.sum()
    count = sizes.own + sizes.swapped + sizes.pairs
    rows = random.choice(len(known), count, replace=len(known) < count, p=chance)
    latents = coordinates.latents[torch.from_numpy(rows)]
    own, swapped, start = torch.split(latents, [sizes.own, sizes.swapped, sizes.pairs])
    part = torch.from_numpy(np.where(random.random(sizes.swapped) < 0.5, 1.0, random.random(sizes.swapped))).float()
    others = [_of_another(known, row, chance, random) for row in rows[sizes.own : sizes.own + sizes.swapped]]
    swapped = swapped.clone()
    swapped[:, :S] = torch.lerp(swapped[:, :S], coordinates.latents[others][:, :S], part[:, None])
    # Dimensions that rank little are drawn less often, by the root of their share.
    often = coordinates.shares.double().sqrt().numpy()
    dimension = int(random.choice(S, p=often / often.sum()))
    low, high = start.clone(), start.clone()
    for ends, (least, most) in zip((low, high), ENDS, strict=True):
        quantiles = torch.from_numpy(random.uniform(least, most, sizes.pairs)).float()
        ends[:, dimension] = torch.quantile(coordinates.latents[:, dimension], quantiles)
    return Moved(torch.from_numpy(rows), own, swapped, low, high, dimension)


def _tensor(values: Floats) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)


def _of_another(labels: npt.NDArray[np.int64], row: int, chance: Floats, random: np.random.Generator) -> int:
    other = np.where(labels != labels[row], chance, 0)
    if not other.any():  # one diagnosis only
        return int(random.integers(len(labels)))
    return int(random.choice(len(labels), p=other / other.sum()))
