"""Training data of the plain VAEs: sprites, phantoms, or a folder of cases."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from casekin.atomic_files import stream_durably
from casekin.phantoms import SCALES, Factors, draw, within_range
from training.config.baselines import FamilyConfig
from training.config.guided import DataConfig
from training.data.cases import LabelledCase
from training.data.collection import Collection
from training.data.ground_truth import Factor, FactorTable
from training.data.image_cache import Pixels
from training.data.sprites import Sprites
from training.data.vocabulary import Vocabulary
from training.models.guided_vae import Shape

Ints = npt.NDArray[np.int64]

HELD_OUT = 2048
"""Pictures of a drawn source that are only measured."""
PHANTOMS = 6000
VARIED = ("diameter", "elongation", "darkness", "warmth", "skin_tone", "shift_x", "shift_y", "exposure")
"""Factors in which the phantoms differ, independently and evenly over their ranges."""
PLAIN = {"border_sharpness": 0.7, "colours": 2.0, "variegation": 0.2, "network": 0.3}
"""Factors that give every phantom some structure; all others that do not vary are at their lowest."""


class Pictures(Protocol):
    """Images of one size, by position."""

    shape: tuple[int, int, int]
    """Height, width, channels."""

    def __len__(self) -> int:
        """Return how many there are."""

    def batch(self, positions: Ints) -> Pixels:
        """Return the images at these positions, uint8 [B,H,W,C]."""


class Stored:
    """Pictures that lie in an array, in memory or mapped from the cache."""

    def __init__(self, pixels: Pixels) -> None:
        """Take uint8 [N,H,W,C]."""
        self._pixels = pixels
        self.shape: tuple[int, int, int] = (pixels.shape[1], pixels.shape[2], pixels.shape[3])

    def __len__(self) -> int:
        """Return N."""
        return len(self._pixels)

    def batch(self, positions: Ints) -> Pixels:
        """Return uint8 [B,H,W,C]."""
        return self._pixels[positions]


@dataclass(frozen=True)
class Source:
    """Pictures with their split and what is known of them."""

    name: str
    pictures: Pictures
    train: Ints
    """Positions to train on."""
    validation: Ints
    """Positions measured while training."""
    likelihood: Literal["bernoulli", "gaussian"]
    """Of a pixel: black or white, or any colour."""
    truth: Callable[[Ints], FactorTable] | None = None
    """Gives the factors at positions, where they are known."""
    cases: Sequence[LabelledCase] = ()
    """Diagnosis, lesion and fold by position, where images have them."""
    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary(()))
    """Of the cases."""

    @property
    def shape(self) -> Shape:
        """Of an image as the networks see it."""
        height, width, channels = self.pictures.shape
        return Shape(channels, height, width)


def open_source(name: str, config: FamilyConfig, cache: Path) -> Source:
    """Return `sprites`, `phantoms`, or the collection in the folder of that name, at the configuration's size."""
    if name == "sprites":
        return _sprites(config)
    if name == "phantoms":
        return _phantoms(config, cache)
    if not Path(name).is_dir():
        raise FileNotFoundError(f"{name!r} is neither a folder with a collection nor `sprites` nor `phantoms`")
    return _collection(Path(name), config, cache)


def _sprites(config: FamilyConfig) -> Source:
    if config.height != config.width:
        raise ValueError(f"the configuration has {config.height} x {config.width} pixels; sprites are square")
    sprites = Sprites(config.height)
    train, held_out = _split(len(sprites), config.seed)
    return Source("sprites", sprites, train, held_out, "bernoulli", sprites.truth)


def _phantoms(config: FamilyConfig, cache: Path) -> Source:
    values = np.random.default_rng(0).uniform(size=(PHANTOMS, len(VARIED)))
    phantoms = [_phantom(row) for row in values]
    target = cache / f"phantoms-{config.height}x{config.width}-{_digest(phantoms)}.npy"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        size = (config.width, config.height)
        drawn = np.stack([np.asarray(draw(factors, lesion_seed=0, view_seed=0, size=size)) for factors in phantoms])
        stream_durably(target, lambda stream: np.save(stream, drawn))
    table = FactorTable(tuple(Factor(name, ordered=True) for name in VARIED), values)
    train, held_out = _split(PHANTOMS, config.seed)
    pictures = Stored(np.load(target, mmap_mode="r"))
    return Source(
        "phantoms", pictures, train, held_out, "gaussian", lambda rows: replace(table, values=table.values[rows])
    )


def _phantom(values: npt.NDArray[np.float64]) -> Factors:
    varied = {n: SCALES[n].low + v * (SCALES[n].high - SCALES[n].low) for n, v in zip(VARIED, values, strict=True)}
    return within_range({name: scale.low for name, scale in SCALES.items()} | PLAIN | varied)


def _digest(phantoms: Sequence[Factors]) -> str:
    return hashlib.sha256(repr([astuple(factors) for factors in phantoms]).encode()).hexdigest()[:16]


def _collection(folder: Path, config: FamilyConfig, cache: Path) -> Source:
    data = DataConfig(
        height=config.height,
        width=config.width,
        resample="box",
        train_folds=config.train_folds,
        validation_folds=config.validation_folds,
    )
    read = Collection(folder, cache, data, config.seed)
    train, validation = (np.array(part, np.int64) for part in (read.train_positions, read.validation_positions))
    pictures, vocabulary = Stored(read.pixels), read.vocabulary
    return Source(str(folder), pictures, train, validation, "gaussian", cases=read.cases, vocabulary=vocabulary)


def _split(count: int, seed: int) -> tuple[Ints, Ints]:
    order = np.random.default_rng((seed, count)).permutation(count)
    held_out = min(HELD_OUT, count // 10)
    return order[held_out:], np.sort(order[:held_out])


class Batches(Dataset[Tensor]):
    """Whole batches of pictures: gathering them one by one would cost more than drawing them."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def __getitem__(self, positions: Ints) -> Tensor:
        """Return uint8 [B,H,W,C]."""
        return torch.from_numpy(np.ascontiguousarray(self._pictures.batch(positions)))


class Shuffled(Sampler[Ints]):
    """Shuffled batches of positions; epoch e draws from (seed, e), so a resumed run repeats an uninterrupted one.

    Every position comes once before any comes twice, across epochs too; each process takes its own share of a batch.
    """

    def __init__(self, positions: Ints, batch: int, batches: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if batch * world > len(positions):
            raise ValueError(f"a step takes {batch * world} pictures and there are {len(positions)}; lower batch_size")
        self._positions, self._seed = positions, seed
        self._batch, self._batches, self._rank, self._world = batch, batches, rank, world
        self._turn, self._shuffled = -1, positions
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._batches

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this by name."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Ints]:
        """Yield positions [batch]."""
        per_round = len(self._positions) // (self._batch * self._world)  # steps until all were seen
        for step in range(self.epoch * self._batches, (self.epoch + 1) * self._batches):
            turn, place = divmod(step, per_round)
            order = self._order(turn)
            start = (place * self._world + self._rank) * self._batch
            yield self._positions[order[start : start + self._batch]]

    def _order(self, turn: int) -> Ints:
        if turn != self._turn:
            self._turn = turn
            self._shuffled = np.random.default_rng((self._seed, turn)).permutation(len(self._positions))
        return self._shuffled


class FamilyData(lightning.LightningDataModule):
    """The batches of one training."""

    def __init__(self, source: Source, config: FamilyConfig, batches_per_step: int) -> None:
        super().__init__()
        self._source, self._config = source, config
        self._per_step = config.schedule.batch_size * batches_per_step

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Return shuffled batches uint8 [B,H,W,C]."""
        schedule, trainer = self._config.schedule, self.trainer
        assert trainer is not None
        steps = max(1, schedule.epoch_images // (schedule.batch_size * trainer.world_size))
        sampler = Shuffled(
            self._source.train, self._per_step, steps, self._config.seed, trainer.global_rank, trainer.world_size
        )
        return DataLoader(Batches(self._source.pictures), batch_size=None, sampler=sampler)

    def val_dataloader(self) -> list[DataLoader[Tensor]]:
        """Return the validation pictures in order, uint8 [B,H,W,C], if there are any."""
        validation = self._source.validation
        return [in_order(self._source.pictures, validation)] if len(validation) else []


def in_order(pictures: Pictures, positions: Ints, batch: int = 512) -> DataLoader[Tensor]:
    """Return the pictures at these positions in order, uint8 [B,H,W,C]."""
    parts = np.array_split(positions, max(1, -(-len(positions) // batch)))
    return DataLoader(Batches(pictures), batch_size=None, sampler=parts)
