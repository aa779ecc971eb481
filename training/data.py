"""Batches of images: balanced for learning, in order for measuring."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from casekin.contracts.bundle import InputSpec
from training.cases import LabelledCase, in_folds, read_cases, vocabulary
from training.config import DataConfig
from training.pixels import Pixels, cached_pixels


class Batch(NamedTuple):
    """Images with the number of their class and their position in the collection."""

    images: Tensor
    """uint8 [B,3,H,W]"""
    labels: Tensor
    """int64 [B]"""
    positions: Tensor
    """int64 [B]"""


class CaseImages(Dataset[tuple[Tensor, int, int]]):
    """The images of some positions of a collection."""

    def __init__(self, pixels: Pixels, labels: Sequence[int], positions: Sequence[int]) -> None:
        self._pixels, self._labels, self._positions = pixels, labels, positions

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._positions)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        """Return image uint8 [3,H,W], label, position."""
        position = self._positions[index]
        image = torch.from_numpy(np.array(self._pixels[position])).permute(2, 0, 1)
        return image, self._labels[position], position


class BalancedSampler(Sampler[int]):
    """Draws classes in proportion to share^(1-balance), and within a class every image before any image twice.

    What epoch e draws follows from (seed, e) alone, so that a resumed run sees what the unbroken one saw.
    """

    def __init__(self, labels: Sequence[int], balance: float, seed: int) -> None:
        self._labels = np.asarray(labels)
        self._seed = seed
        self.epoch = 0
        counts = np.bincount(self._labels).astype(float)
        self.shares: npt.NDArray[np.float64] = np.where(counts > 0, counts, np.inf) ** (1 - balance)
        self.shares[counts == 0] = 0
        self.shares /= self.shares.sum()

    def __len__(self) -> int:
        """Return the number of draws of an epoch: as many as there are images."""
        return len(self._labels)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this by name."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield positions among the labels."""
        # Nothing is drawn before the first is asked for: Lightning may make the iterator before it sets the epoch.
        random = np.random.default_rng((self._seed, self.epoch))
        classes = random.choice(len(self.shares), size=len(self), p=self.shares)
        order = {label: self._endless(label, random) for label in np.unique(classes)}
        yield from [next(order[label]) for label in classes]

    def _endless(self, label: int, random: np.random.Generator) -> Iterator[int]:
        members = np.flatnonzero(self._labels == label)
        while True:
            yield from random.permutation(members).tolist()


class Collection(lightning.LightningDataModule):
    """HAM10000 with folds, decoded once into a cache."""

    def __init__(self, folder: Path, cache: Path, config: DataConfig, seed: int, limit: int | None = None) -> None:
        super().__init__()
        self.config, self._seed = config, seed
        self.spec = InputSpec(height=config.height, width=config.width, resample=config.resample)
        self.cases: list[LabelledCase] = read_cases(folder)[:limit]
        self.classes = vocabulary(self.cases)
        self.labels = [self.classes.index(case.diagnosis) for case in self.cases]
        self.train_positions = in_folds(self.cases, config.train_folds)
        self.validation_positions = in_folds(self.cases, config.validation_folds)
        self.pixels = cached_pixels(folder, [case.id for case in self.cases], self.spec, cache)
        self.sampler = BalancedSampler([self.labels[p] for p in self.train_positions], config.balance, seed)

    def class_shares(self) -> list[float]:
        """Return the share of each class among the training images."""
        counts = Counter(self.labels[position] for position in self.train_positions)
        return [counts[number] / len(self.train_positions) for number in range(len(self.classes))]

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int, int]]:
        """Return balanced batches of training images."""
        images = CaseImages(self.pixels, self.labels, self.train_positions)
        return DataLoader(images, self.config.batch_size, sampler=self.sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, int, int]]:
        """Return training and validation images once, in order: a gallery and its queries."""
        return self.in_order(self.train_positions + self.validation_positions)

    def sample(self, count: int = 4096) -> Tensor:
        """Return up to so many training images, evenly spaced, as [N,3,H,W] in 0..1."""
        step = max(1, len(self.train_positions) // count)
        chosen = self.train_positions[::step][:count]
        return torch.from_numpy(self.pixels[chosen]).permute(0, 3, 1, 2).float() / 255

    def in_order(self, positions: Sequence[int]) -> DataLoader[tuple[Tensor, int, int]]:
        """Return the images at these positions, unchanged and in order."""
        return DataLoader(CaseImages(self.pixels, self.labels, positions), 64)
