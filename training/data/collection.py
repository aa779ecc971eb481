"""Batches of images: balanced for learning, in order for measuring."""

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from casekin.contracts.bundle import InputSpec
from casekin.errors import BadInput
from training.config.guided import DataConfig
from training.data.cases import LabelledCase, in_folds, occurring_diagnoses, read_collection
from training.data.image_cache import Pixels, cached_pixels

log = logging.getLogger(__name__)

LOGGED = 10
"""Unreadable images that the log names one by one."""


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

    Epoch e draws from (seed, e) alone, so that a resumed run repeats an uninterrupted one. Each of n processes takes
    every n-th of the same draws, so that together they draw what a single one would.
    """

    def __init__(self, labels: Sequence[int], balance: float, seed: int, rank: int = 0, ranks: int = 1) -> None:
        self._labels = np.asarray(labels)
        self._seed = seed
        self._rank, self._ranks = rank, ranks
        self.epoch = 0
        counts = np.bincount(self._labels).astype(float)
        self.shares: npt.NDArray[np.float64] = np.where(counts > 0, counts, np.inf) ** (1 - balance)
        self.shares[counts == 0] = 0
        self.shares /= self.shares.sum()

    def __len__(self) -> int:
        """Return the number of draws of an epoch: as many as there are images, rounded up to the same for each rank."""
        return math.ceil(len(self._labels) / self._ranks)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this by name."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield positions among the labels."""
        # Nothing is drawn before the first item: Lightning may create the iterator before it sets the epoch.
        random = np.random.default_rng((self._seed, self.epoch))
        classes = self._classes(random)
        order = {label: self._endless(label, random) for label in np.unique(classes)}
        yield from [next(order[label]) for label in classes][self._rank :: self._ranks]

    def _classes(self, random: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return a class for each draw: of each as many as its share, rounded up or down by chance, in random order."""
        total = len(self) * self._ranks
        # Systematic resampling (Kitagawa 1996): no class misses an epoch by bad luck, and none is favoured by rounding.
        edges = np.floor((np.cumsum(self.shares) * total).round(6) + random.random()).astype(int)
        edges[-1] = total
        counts = np.diff(edges, prepend=0)
        return random.permutation(np.repeat(np.arange(len(counts)), counts))

    def _endless(self, label: int, random: np.random.Generator) -> Iterator[int]:
        members = np.flatnonzero(self._labels == label)
        while True:
            yield from random.permutation(members).tolist()


class Collection(lightning.LightningDataModule):
    """A collection with folds, its images decoded once into a cache."""

    def __init__(self, folder: Path, cache: Path, config: DataConfig, seed: int, limit: int | None = None) -> None:
        """Read the collection in `folder`; raises `BadInput` where training or validation folds have no case."""
        super().__init__()
        self.config, self._seed = config, seed
        self.spec = InputSpec(height=config.height, width=config.width, resample=config.resample)
        self.source = read_collection(folder, config.mapping, config.folds)
        decoded = cached_pixels(self.source.images, [case.id for case in self.source.cases[:limit]], self.spec, cache)
        _log_unreadable(decoded.unreadable)
        self.pixels = decoded.pixels
        readable = set(decoded.ids)
        self.cases: list[LabelledCase] = [case for case in self.source.cases[:limit] if case.id in readable]
        self.vocabulary = self.source.vocabulary(occurring_diagnoses(self.cases))
        self.classes = list(self.vocabulary.codes)
        self.labels = [self.classes.index(case.diagnosis) for case in self.cases]
        self.train_positions = self._in_folds("train_folds")
        self.validation_positions = self._in_folds("validation_folds")
        self.sampler = self._sampler(0, 1)

    @property
    def many_labels(self) -> bool:
        """Whether any image has several diagnoses."""
        return any(case.labels for case in self.cases)

    @cached_property
    def label_matrix(self) -> npt.NDArray[np.float32]:
        """[N,C], 1 where a case has the diagnosis."""
        matrix = np.zeros((len(self.cases), len(self.classes)), np.float32)
        for row, case in zip(matrix, self.cases, strict=True):
            row[[self.classes.index(label) for label in case.diagnoses]] = 1
        return matrix

    def class_shares(self) -> list[float]:
        """Return the share of each class among the training images."""
        counts = Counter(self.labels[position] for position in self.train_positions)
        return [counts[number] / len(self.train_positions) for number in range(len(self.classes))]

    def drawn_shares(self) -> npt.NDArray[np.float64]:
        """Return the expected share of each class [C] in a batch: the prior of the training targets.

        The shares sum to 1 where each image has one diagnosis, and to more where some have several.
        """
        drawn_as, matrix = self._drawn_as(), self.label_matrix[self.train_positions]
        counts = np.bincount(drawn_as, minlength=len(self.classes))
        weights = self.sampler.shares[drawn_as] / counts[drawn_as]  # chance of each image
        return np.asarray(weights @ matrix, np.float64)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int, int]]:
        """Return balanced batches of training images; under DDP, of this process's share."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        images = CaseImages(self.pixels, self.labels, self.train_positions)
        sampler = self._sampler(rank, ranks)
        return DataLoader(images, min(self.config.batch_size, len(sampler)), sampler=sampler, drop_last=True)

    def val_dataloader(self) -> list[DataLoader[tuple[Tensor, int, int]]]:
        """Return training and validation images once, in order: a gallery and its queries, if there are any."""
        queries = self.validation_positions
        return [self.in_order(self.train_positions + queries)] if queries else []

    def sample(self, count: int = 4096) -> Tensor:
        """Return up to so many training images, evenly spaced, as [N,3,H,W] in 0..1."""
        step = max(1, len(self.train_positions) // count)
        chosen = self.train_positions[::step][:count]
        return torch.from_numpy(self.pixels[chosen]).permute(0, 3, 1, 2).float() / 255

    def in_order(self, positions: Sequence[int]) -> DataLoader[tuple[Tensor, int, int]]:
        """Return the images at these positions, unchanged and in order."""
        return DataLoader(CaseImages(self.pixels, self.labels, positions), 64)

    def images(self, positions: Sequence[int]) -> Iterator[Tensor]:
        """Yield these images as batches [B,3,H,W] in 0..1, channels last in memory."""
        for raw, *_ in self.in_order(positions):
            yield (raw.float() / 255).contiguous(memory_format=torch.channels_last)

    def _sampler(self, rank: int, ranks: int) -> BalancedSampler:
        return BalancedSampler(self._drawn_as().tolist(), self.config.balance, self._seed, rank, ranks)

    def _drawn_as(self) -> npt.NDArray[np.int64]:
        """Return the class [N] that each training image is drawn as: of several, the rarest among training images."""
        matrix = self.label_matrix[self.train_positions]
        return np.asarray(np.where(matrix > 0, matrix.sum(0), np.inf).argmin(1))

    def _in_folds(self, which: Literal["train_folds", "validation_folds"]) -> list[int]:
        folds: tuple[int, ...] = getattr(self.config, which)
        positions = in_folds(self.cases, folds)
        if not positions and (folds or which == "train_folds"):
            known = sorted(Counter(case.fold for case in self.cases).items())
            counts = ", ".join(f"{fold}: {count}" for fold, count in known)
            raise BadInput(
                f"{which} {folds} hold no case; there are {counts or 'none at all'}: bring more, or choose fewer folds"
            )
        return positions


def _log_unreadable(unreadable: dict[str, str]) -> None:
    for id, reason in list(unreadable.items())[:LOGGED]:
        log.warning("%s is left out: %s", id, reason)
    if len(unreadable) > LOGGED:
        log.warning("%d more images are left out as they cannot be read", len(unreadable) - LOGGED)
