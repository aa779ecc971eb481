"""Lesions that `benchmarks.seen` measures and those that its judges are fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casekin.errors import BadInput
from training.data.cases import LabelledCase, LabelledCollection, read_collection
from training.data.image_cache import Pixels, encoder_pixels
from training.evaluation.systems import BundleSystem
from training.latent_space.image_factors import lesion_masks

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

SEED = 20


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    swaps: int
    moved: int
    """Lesions on which single dimensions move."""
    plain: int
    """Lesions, as common as they are, whose reconstructions are compared with real images."""
    real: int
    """Other lesions that these are compared with."""
    fitted_each: int
    """Lesions of each diagnosis, at most, that the judges are fitted to."""
    attributes: int | None
    """Images with attributes; none takes all."""


@dataclass(frozen=True)
class Lesions:
    """One image each of N lesions."""

    folder: Path
    ids: list[str]
    pixels: Pixels
    """[N,H,W,3], as the encoder takes them."""
    latents: Floats
    """[N,D], standardised."""
    labels: Ints
    """[N]"""

    @property
    def images(self) -> Floats:
        """[N,3,H,W] in 0..1."""
        return np.ascontiguousarray(self.pixels.transpose(0, 3, 1, 2), np.float32) / np.float32(255)

    def masks(self, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return the lesions' masks [N,h,w]; the whole image where there is none."""
        whole = np.ones(size, bool)
        found = lesion_masks(self.folder, self.ids, (size[1], size[0]))
        return np.stack([whole if mask is None or not mask.any() else mask for mask in found])

    def at(self, rows: Sequence[int] | Ints) -> "Lesions":
        """Return those of these rows."""
        chosen = list(rows)
        ids = [self.ids[row] for row in chosen]
        return Lesions(self.folder, ids, self.pixels[chosen], self.latents[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Chosen:
    """The lesions by what they are for; only `fitted` are not of the measured folds."""

    start: Lesions
    goal: Lesions
    moved: Lesions
    plain: Lesions
    real: Lesions
    fitted: Lesions


def chosen_lesions(data: Path, system: BundleSystem, plan: Plan, folds: tuple[int, ...]) -> Chosen:
    """Read the lesions of a plan and encode them; the same ones in every run."""
    collection = read_collection(data)
    random = np.random.default_rng(SEED)
    measured, others = _one_each(collection.cases, folds, random)
    labels = np.array([system.classes.index(case.diagnosis) for case in measured])
    start, goal = _swaps(labels, plan.swaps, random)
    order = random.permutation(len(measured))
    plain, real = order[: plan.plain], order[plan.plain :][: plan.real]
    moved = _balanced(labels, plan.moved, random)
    needed = np.unique(np.concatenate([start, goal, plain, real, moved]))
    place = {row: number for number, row in enumerate(needed)}
    known = _encoded(collection, [measured[row] for row in needed], system, data)
    of_others = np.array([system.classes.index(case.diagnosis) for case in others])
    taken = [np.flatnonzero(of_others == label)[: plan.fitted_each] for label in range(len(system.classes))]
    fitted = _encoded(collection, [others[row] for row in np.concatenate(taken)], system, data)
    rows_of = {"start": start, "goal": goal, "moved": moved, "plain": plain, "real": real}
    parts = {name: known.at([place[row] for row in rows]) for name, rows in rows_of.items()}
    return Chosen(**parts, fitted=fitted)


def _one_each(
    cases: Sequence[LabelledCase], folds: tuple[int, ...], random: np.random.Generator
) -> tuple[list[LabelledCase], list[LabelledCase]]:
    """Return one image of each lesion of the folds, and of each other lesion, in random order."""
    by_lesion = {cases[row].lesion: cases[row] for row in random.permutation(len(cases))}
    kept = list(by_lesion.values())
    return [case for case in kept if case.fold in folds], [case for case in kept if case.fold not in folds]


def _swaps(labels: Ints, count: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return rows of starts and of goals; each pair of different diagnoses is as likely as any other."""
    present = np.unique(labels)
    if len(present) < 2:
        raise BadInput("the measured folds have one diagnosis only; swaps need two")
    pairs = [random.choice(present, 2, replace=False) for _ in range(count)]
    rows = [[int(random.choice(np.flatnonzero(labels == label))) for label in pair] for pair in pairs]
    start, goal = np.array(rows).T
    return start, goal


def _balanced(labels: Ints, count: int, random: np.random.Generator) -> Ints:
    """Return rows of so many lesions, of all diagnoses in turn, no lesion twice."""
    queues = [list(random.permutation(np.flatnonzero(labels == label))) for label in np.unique(labels)]
    rows: list[int] = []
    while len(rows) < count and any(queues):
        rows += [queue.pop() for queue in queues if queue]
    return np.array(rows[:count])


def _encoded(
    collection: LabelledCollection, cases: Sequence[LabelledCase], system: BundleSystem, folder: Path
) -> Lesions:
    files = (collection.images[case.id].read() for case in cases)
    pixels = np.stack([encoder_pixels(file, system.input) for file in files])
    labels = np.array([system.classes.index(case.diagnosis) for case in cases])
    return Lesions(folder, [case.id for case in cases], pixels, system.embed(pixels), labels)
