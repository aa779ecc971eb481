"""Batches of images: balanced for learning, in order for measuring."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from casekin.contracts.bundle import InputSpec
from casekin.contracts.collection import Diagnosis
from casekin.errors import BadInput
from training.config.guided import DataConfig
from training.data.cases import LabelledCase, LabelledCollection, in_folds, occurring_diagnoses, read_collection
from training.data.image_cache import Pixels, cached_pixels
from training.data.other_clinics import known_spec
from training.data.sampling import BalancedSampler, CaseImages, Floats, Ints, Picture, balanced_shares
from training.data.vocabulary import Vocabulary

log = logging.getLogger(__name__)

LOGGED = 10
"""Unreadable images that the log names one by one."""


@dataclass(frozen=True)
class OtherImages:
    """Folders whose images are trained on beside those of the collection; none of them is a query or a match."""

    copies: tuple[Path, ...] = ()
    """The same images at other sizes, under the same ids: the latent must not depend on the size of a file."""
    further: tuple[Path, ...] = ()
    """Collections of other clinics, with folds of their own of which only the training folds are used. A diagnosis that
    the collection lacks is a class of its own in training, and none of the bundle's."""

    def flat(self) -> dict[str, str]:
        """Return the names of the folders, as the recipe of a bundle lists them."""
        return {f"data.{field}": " ".join(folder.name for folder in folders) for field, folders in vars(self).items()}


NO_OTHERS = OtherImages()


class Collection(lightning.LightningDataModule):
    """A collection with folds, its images decoded once into a cache.

    Positions count the cases of the collection and then those of the further ones, which are for training only.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        config: DataConfig,
        seed: int,
        limit: int | None = None,
        others: OtherImages = NO_OTHERS,
    ) -> None:
        """Read the collection in `folder`; raises `BadInput` where training or validation folds have no case."""
        super().__init__()
        self.config, self._seed = config, seed
        self.spec = InputSpec(height=config.height, width=config.width, resample=config.resample)
        self.source = read_collection(folder, config.mapping, config.folds)
        ids, self.pixels = self._decoded(self.source, [case.id for case in self.source.cases[:limit]], cache)
        self.cases: list[LabelledCase] = [case for case in self.source.cases[:limit] if case.id in ids]
        self.vocabulary = self.source.vocabulary(occurring_diagnoses(self.cases))
        self.classes = list(self.vocabulary.codes)
        self.train_positions = self._in_folds("train_folds")
        self.validation_positions = self._in_folds("validation_folds")
        self.further_cases: list[LabelledCase] = []
        self.further_notes: list[str] = []
        """Of each further collection its title, training images, licence and citation, as a sentence."""
        self._described: list[Diagnosis] = []
        self._pictures = self._pictures_at(self.train_positions)
        for copy in others.copies:
            self._add_copies(copy, cache)
        for further in others.further:
            self._add_further(further, cache)
        self.training_vocabulary = self._training_vocabulary()
        codes = self.training_vocabulary.codes
        self.labels = [codes.index(case.diagnosis) for case in self.all_cases]
        self.sampler = self._sampler(0, 1)

    @property
    def all_cases(self) -> list[LabelledCase]:
        """The cases of the collection, then those of the further ones, by position."""
        return self.cases + self.further_cases

    @property
    def many_labels(self) -> bool:
        """Whether any image has several diagnoses."""
        return any(case.labels for case in self.all_cases)

    @cached_property
    def label_matrix(self) -> npt.NDArray[np.float32]:
        """[P,T], 1 where the case at a position has the diagnosis of the training vocabulary."""
        codes = self.training_vocabulary.codes
        matrix = np.zeros((len(self.all_cases), len(codes)), np.float32)
        for row, case in zip(matrix, self.all_cases, strict=True):
            row[[codes.index(label) for label in case.diagnoses]] = 1
        return matrix

    @cached_property
    def attribute_matrix(self) -> npt.NDArray[np.float32]:
        """[P,A], 0 or 1 as the table says for each attribute of the configuration; NaN where it does not say."""
        known = {"0": 0.0, "1": 1.0}
        names = self.config.attributes
        rows = [[known.get(case.columns.get(name, ""), np.nan) for name in names] for case in self.all_cases]
        return np.array(rows, np.float32).reshape(len(rows), len(names))

    @cached_property
    def source_numbers(self) -> Ints:
        """[P], the clinic or device of the case at a position, as a number."""
        return np.unique([case.source for case in self.all_cases], return_inverse=True)[1].astype(np.int64)

    def class_shares(self) -> list[float]:
        """Return the share of each class among the training images of the collection."""
        counts = Counter(self.labels[position] for position in self.train_positions)
        return [counts[number] / len(self.train_positions) for number in range(len(self.classes))]

    def drawn_shares(self) -> Floats:
        """Return the expected share of each class [T] in a batch: the prior of the training targets.

        The shares sum to 1 where each image has one diagnosis, and to more where some have several.
        """
        groups = self._groups()
        counts = np.bincount(groups, minlength=len(self.sampler.shares))
        chances = self.sampler.shares[groups] / counts[groups]  # of each image
        matrix = self.label_matrix[[picture.position for picture in self._pictures]]
        return np.asarray(chances @ matrix, np.float64)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int, int]]:
        """Return balanced batches of training images; under DDP, of this process's share."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        images = CaseImages(self._pictures, self.labels)
        sampler = self._sampler(rank, ranks)
        return DataLoader(images, min(self.config.batch_size, len(sampler)), sampler=sampler, drop_last=True)

    def val_dataloader(self) -> list[DataLoader[tuple[Tensor, int, int]]]:
        """Return training and validation images once, in order: a gallery and its queries, if there are any."""
        queries = self.validation_positions
        return [self.in_order(self.train_positions + queries)] if queries else []

    def sample(self, count: int = 2048) -> Tensor:
        """Return up to so many training images, evenly spaced, as [N,3,H,W] in 0..1."""
        step = max(1, len(self.train_positions) // count)
        chosen = self.train_positions[::step][:count]
        return torch.from_numpy(self.pixels[chosen]).permute(0, 3, 1, 2).float() / 255

    def in_order(self, positions: Sequence[int]) -> DataLoader[tuple[Tensor, int, int]]:
        """Return the images of the collection at these positions, unchanged and in order."""
        return DataLoader(CaseImages(self._pictures_at(positions), self.labels), 64)

    def images(self, positions: Sequence[int]) -> Iterator[Tensor]:
        """Yield these images as batches [B,3,H,W] in 0..1, channels last in memory."""
        for raw, *_ in self.in_order(positions):
            yield (raw.float() / 255).contiguous(memory_format=torch.channels_last)

    def _pictures_at(self, positions: Sequence[int]) -> list[Picture]:
        return [Picture(self.pixels, position, position) for position in positions]

    def _decoded(self, source: LabelledCollection, ids: Sequence[str], cache: Path) -> tuple[dict[str, int], Pixels]:
        """Return the row of each readable image and the pixels."""
        decoded = cached_pixels(source.images, ids, self.spec, cache)
        _log_unreadable(decoded.unreadable)
        return {id: row for row, id in enumerate(decoded.ids)}, decoded.pixels

    def _add_copies(self, folder: Path, cache: Path) -> None:
        source = read_collection(folder, self.config.mapping, self.config.folds)
        wanted = [self.cases[position].id for position in self.train_positions]
        if missing := [id for id in wanted if id not in source.images]:
            raise BadInput(
                f"{folder} lacks {len(missing)} of {len(wanted)} training images, such as {missing[0]}; a folder of "
                "copies holds the same images under the same ids"
            )
        rows, pixels = self._decoded(source, wanted, cache)
        self._pictures += [
            Picture(pixels, rows[self.cases[position].id], position)
            for position in self.train_positions
            if self.cases[position].id in rows
        ]

    def _add_further(self, folder: Path, cache: Path) -> None:
        source = read_collection(folder, known_spec(folder), self.config.folds)
        cases = [source.cases[row] for row in in_folds(source.cases, self.config.train_folds)]
        rows, pixels = self._decoded(source, [case.id for case in cases], cache)
        first = len(self.all_cases)
        added = [_of_clinic(case, folder.name) for case in cases if case.id in rows]
        self._pictures += [Picture(pixels, rows[case.id], first + number) for number, case in enumerate(added)]
        self._described += source.info.diagnoses
        self.further_cases += added
        licence, citation = source.info.licence or "licence not stated", source.info.citation or "no citation stated"
        self.further_notes.append(f"{source.info.title}, {len(added)} images; {licence}. {citation}")

    def _training_vocabulary(self) -> Vocabulary:
        """Return the classes of training: those of the collection, then those that only further images have."""
        further = [code for code in occurring_diagnoses(self.further_cases) if code not in self.classes]
        known = {diagnosis.code: diagnosis for diagnosis in (*self._described, *self.source.info.diagnoses)}
        return Vocabulary.of([*self.classes, *further], list(known.values()))

    def _sampler(self, rank: int, ranks: int) -> BalancedSampler:
        groups = self._groups()
        return BalancedSampler(groups, self._group_shares(groups), self._seed, len(self.train_positions), rank, ranks)

    def _groups(self) -> Ints:
        """Return the group [I] that each training image is drawn from: one for each class and source."""
        return self._drawn_as() * (1 + int(self.source_numbers.max(initial=0))) + self._sources_drawn()

    def _group_shares(self, groups: Ints) -> Floats:
        """Return the share of each group: classes by `balance`, and within a class its sources by `source_balance`."""
        classes, sources = self._drawn_as(), self._sources_drawn()
        is_further = np.array([picture.position >= len(self.cases) for picture in self._pictures])
        result = np.zeros(groups.max() + 1)
        for number, share in enumerate(balanced_shares(classes, self.config.balance)):
            if share:
                mine = classes == number
                weights = np.ones(1 + sources[mine].max())
                weights[np.unique(sources[mine & is_further])] = self.config.further_weight
                within = balanced_shares(sources[mine], self.config.source_balance, weights.tolist())
                result[groups[mine]] = share * within[sources[mine]]
        return result

    def _sources_drawn(self) -> Ints:
        return np.asarray(self.source_numbers[[picture.position for picture in self._pictures]], np.int64)

    def _drawn_as(self) -> Ints:
        """Return the class [I] that each training image is drawn as: of several, the rarest among training images."""
        matrix = self.label_matrix[[picture.position for picture in self._pictures]]
        return np.asarray(np.where(matrix > 0, matrix.sum(0), np.inf).argmin(1), np.int64)

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


def _of_clinic(case: LabelledCase, clinic: str) -> LabelledCase:
    """Return a case of a further collection with names that are apart from those of the others."""
    return replace(case, source=f"{clinic} {case.source}".strip(), lesion=f"{clinic} {case.lesion}")
