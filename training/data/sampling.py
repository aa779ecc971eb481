"""The images that training draws from, and the order in which it draws them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from training.data.image_cache import Pixels

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """One image file, decoded."""

    pixels: Pixels
    """[N,H,W,3], of its folder"""
    row: int
    """Its row in `pixels`."""
    position: int
    """Of its case; the copies of one image at several sizes share it."""


class CaseImages(Dataset[tuple[Tensor, int, int]]):
    """Decoded images with the labels of their cases."""

    def __init__(self, pictures: Sequence[Picture], labels: Sequence[int]) -> None:
        """Take the label of each case by its position."""
        self._pictures, self._labels = pictures, labels

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        """Return image uint8 [3,H,W], label, position."""
        picture = self._pictures[index]
        image = torch.from_numpy(np.array(picture.pixels[picture.row])).permute(2, 0, 1)
        return image, self._labels[picture.position], picture.position


def balanced_shares(groups: Sequence[int] | Ints, balance: float, weights: Sequence[float] | None = None) -> Floats:
    """Return with which share each group is drawn: in proportion to its own share to the power 1 - `balance`.

    `weights` are factors of each group.
    """
    counts = np.bincount(np.asarray(groups, np.int64)).astype(float)
    shares = np.where(counts > 0, counts, np.inf) ** (1 - balance)
    shares[counts == 0] = 0
    if weights is not None:
        shares *= weights
    return np.asarray(shares / shares.sum(), np.float64)


class BalancedSampler(Sampler[int]):
    """Draws groups by their shares, and within a group every image before any image twice.

    Epoch e draws from (seed, e) alone, so that a resumed run repeats an uninterrupted one. Each of n processes takes
    every n-th of the same draws, so that together they draw what a single one would.
    """

    def __init__(
        self,
        groups: Sequence[int] | Ints,
        shares: Floats,
        seed: int,
        draws: int | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Take the group of each image, the share of each group, and the draws of an epoch: else one an image."""
        self._groups = np.asarray(groups, np.int64)
        self.shares = shares
        self._seed, self._draws = seed, draws or len(self._groups)
        self._rank, self._ranks = rank, ranks
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of draws of an epoch, rounded up to the same for each rank."""
        return math.ceil(self._draws / self._ranks)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this by name."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield positions among the images."""
        # Nothing is drawn before the first item: Lightning may create the iterator before it sets the epoch.
        random = np.random.default_rng((self._seed, self.epoch))
        drawn = self._drawn_groups(random)
        order = {group: self._endless(group, random) for group in np.unique(drawn)}
        yield from [next(order[group]) for group in drawn][self._rank :: self._ranks]

    def _drawn_groups(self, random: np.random.Generator) -> Ints:
        """Return a group for each draw: of each as many as its share, rounded up or down by chance, in random order."""
        total = len(self) * self._ranks
        # Systematic resampling (Kitagawa 1996): no group misses an epoch by bad luck, and none is favoured by rounding.
        edges = np.floor((np.cumsum(self.shares) * total).round(6) + random.random()).astype(int)
        edges[-1] = total
        counts = np.diff(edges, prepend=0)
        return random.permutation(np.repeat(np.arange(len(counts)), counts))

    def _endless(self, group: int, random: np.random.Generator) -> Iterator[int]:
        members = np.flatnonzero(self._groups == group)
        while True:
            yield from random.permutation(members).tolist()
