"""What is learned and measured about a trained network on top of its weights: axes, weights, calibration, figures."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from casekin.contracts.base import Preset
from training.config.guided import DataConfig, Scalar
from training.data.collection import Collection
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.retrieval import Labelled
from training.evaluation.systems import HELD_FOLDS
from training.latent_space import clinical_metric, embed
from training.latent_space.axes import Axes, evened, name_dimensions, towards_classes, towards_factors
from training.latent_space.held_out import POWER, SHARE, TEMPERATURE, Held
from training.latent_space.image_factors import KnownFactors, known_factors
from training.models.guided_vae import GuidedVAE

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Folds:
    """Who teaches, who chooses, who is asked; a run that ships has only the first."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def held(self) -> tuple[int, ...]:
        """Never trained on: weights and calibration come from here."""
        return self.validation or self.test

    @property
    def gallery(self) -> tuple[int, ...]:
        """All that a test query may find."""
        return self.train + self.validation


class Standardised(NamedTuple):
    """All cases on some axes, by mean and spread of the training folds."""

    latents: Floats
    """[N,D]"""
    mean: Floats
    """[D]"""
    std: Floats
    """[D]"""


class Study:
    """One trained network on one collection. Each figure names the folds that it comes from.

    Axes, their mean and spread come from the training folds; the clinical weights, temperature and calibration from
    held lesions: those of the validation folds, or of the test folds where a run trains on all others. A network that
    was trained on all takes them from the proof of its recipe, `held`.
    """

    def __init__(
        self,
        data: DataConfig,
        network: GuidedVAE,
        recipe: dict[str, Scalar],
        collection: Collection,
        folder: Path,
        held: Held | None = None,
    ) -> None:
        self.network, self.collection, self._folder, self.given = network, collection, folder, held
        self.model = network.config
        known = {case.fold for case in collection.cases}
        train, validation = data.train_folds, data.validation_folds
        self.folds = Folds(train, validation, tuple(sorted(known - set(train) - set(validation))))
        if not self.folds.held and held is None:
            raise ValueError("all folds were trained on: name the bundle that proves the recipe, to calibrate by it")
        self._guided = self.model.diagnosis_dimensions
        self._recipe = recipe

    @property
    def protocol(self) -> str:
        """Who was trained on, who was asked."""
        folds = self.folds
        if self.given is not None:
            own = f"this network was trained on {_listed(folds.train)} and has no figures of its own"
            return f"{own}; those of its recipe: {self.given.protocol}"
        return (
            f"folds by lesion; trained on {_listed(folds.train)}, weights and calibration from {_listed(folds.held)}, "
            f"figures with queries of {_listed(folds.test)} against a gallery of {_listed(folds.gallery)}; "
            "no match of the query's own lesion; preset clinical unless named visual"
        )

    @property
    def recipe(self) -> dict[str, Scalar]:
        """Each choice behind the bundle by name."""
        own = {} if self.given else {HELD_FOLDS: " ".join(map(str, self.folds.held))}
        learned = {POWER: self.metric.power, SHARE: self.metric.share, TEMPERATURE: self.temperature}
        return self._recipe | learned | own

    @cached_property
    def encoded(self) -> embed.Encoded:
        """All cases."""
        return embed.encode(self.network, self.collection)

    @cached_property
    def factors(self) -> KnownFactors:
        """What is known of all cases."""
        ids = [case.id for case in self.collection.cases]
        return known_factors(self._folder, ids, self.collection.pixels)

    @cached_property
    def axes(self) -> Axes:
        """Diagnosis dimensions by clinical weight, then appearance dimensions by how much of the image they change."""
        axes = self._axes_at(self.metric.power)
        return axes.reordered(self._order(axes))

    @cached_property
    def latents(self) -> Floats:
        """Standardised latents [N,D] on the exported axes."""
        return self._standardised(self.axes).latents

    @cached_property
    def mean(self) -> Floats:
        """[D], of raw exported latents over the training folds."""
        return self._standardised(self.axes).mean

    @cached_property
    def std(self) -> Floats:
        """[D], likewise."""
        return self._standardised(self.axes).std

    @cached_property
    def clinical_weights(self) -> Floats:
        """[D], of mean 1."""
        return clinical_metric.clinical_weights(self.std, self._guided, self.metric.share)

    @cached_property
    def names(self) -> list[str]:
        """A name for each dimension, or its number where nothing that we measured goes with it."""
        train = self.rows(self.folds.train)
        turned = self._head @ self.axes.back[: self._guided]  # [C,D]
        given: list[str | None] = [None] * len(self.mean)
        for number, code in enumerate(self.collection.classes if len(turned) <= self._guided else []):
            given[int(turned[number].argmax())] = f"Towards {code}"
        return name_dimensions(self.latents[train], self.factors.values[train], self.factors.names, given)

    @cached_property
    def log_prior(self) -> Floats:
        """[C], of the diagnoses' shares of the training folds."""
        return np.log(np.maximum(self.collection.class_shares(), 1e-6))

    def logits(self, rows: npt.NDArray[np.int64]) -> Floats:
        """Return the head's logits [N,C] with the prior of the training folds."""
        with torch.no_grad():
            balanced = self.network.logits(torch.from_numpy(self.encoded.means[rows])).numpy()
        return np.asarray(balanced + self.log_prior)

    def labelled(self, folds: tuple[int, ...]) -> Labelled:
        """Return the standardised cases of these folds."""
        return self.encoded.select(folds, self.latents)

    def presets(self) -> dict[Preset, Floats]:
        """Return the weights [D] by preset."""
        return {"visual": np.ones(len(self.mean)), "clinical": self.clinical_weights}

    def figures(self) -> dict[str, float]:
        """Return all figures on the test folds; those of the visual preset carry its name in front."""
        queries, gallery = self.labelled(self.folds.test), self.labelled(self.folds.gallery)
        presets, classes = self.presets(), self.collection.classes
        result = retrieval_metrics(queries, gallery, presets["clinical"], classes)
        visual = retrieval_metrics(queries, gallery, presets["visual"], classes)
        result |= {f"visual_{name}": value for name, value in visual.items()}
        rows = self.rows(self.folds.test)
        rebuilt = embed.reconstruct(self.network, self.collection, self.encoded, rows)
        result |= {"ssim": float(rebuilt.similarity.mean()), "mse": float(rebuilt.squared_error.mean())}
        train = self.rows(self.folds.train).tolist()
        size = self.model.dimensions
        components = embed.principal_component_similarity(self.network, self.collection, train, rows.tolist(), size)
        result["ssim_pca"] = float(components.mean())
        guessed, truth = self.logits(rows).argmax(1), self.encoded.labels[rows]
        result["head_balanced"] = float(np.mean([(guessed[truth == c] == c).mean() for c in np.unique(truth)]))
        balanced = (self.logits(rows) - self.log_prior).argmax(1)
        result["head_balanced_by_prior"] = float(
            np.mean([(balanced[truth == c] == c).mean() for c in np.unique(truth)])
        )
        return result

    @cached_property
    def metric(self) -> clinical_metric.Metric:
        """What distances under the clinical weights are made from."""
        return clinical_metric.learn_metric(self._sides, self._guided) if self.given is None else self.given.metric

    @cached_property
    def temperature(self) -> float:
        """That makes the head's probabilities fit the held lesions."""
        if self.given is not None:
            return self.given.temperature
        rows = self.rows(self.folds.held)
        return clinical_metric.temperature(self.logits(rows), self.encoded.labels[rows])

    def rows(self, folds: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return the rows of `encoded` and `latents` that are of these folds."""
        return np.flatnonzero(np.isin(self.encoded.folds, folds))

    def positions(self, folds: tuple[int, ...]) -> list[int]:
        """Return the positions of these folds' cases in the collection."""
        return [self.encoded.positions[row] for row in self.rows(folds)]

    @property
    def _head(self) -> Floats:
        """[C,S], its directions."""
        return np.asarray(self.network.head.weight.detach().numpy())

    def _order(self, axes: Axes) -> list[int]:
        # Diagnosis dimensions by how much they spread, which is their clinical weight; the others by their effect.
        effect, spread = self._effect(axes), axes.of(self.encoded.means).std(0)
        guided = sorted(range(self._guided), key=lambda index: -spread[index])
        return guided + sorted(range(self._guided, len(effect)), key=lambda index: -effect[index])

    def _sides(self, power: float) -> clinical_metric.Sides:
        found = self._standardised(self._axes_at(power))
        queries, gallery = (self.encoded.select(folds, found.latents) for folds in (self.folds.held, self.folds.train))
        return clinical_metric.Sides(queries, gallery, found.std)

    def _standardised(self, axes: Axes) -> Standardised:
        values = axes.of(self.encoded.means)
        train = values[self.rows(self.folds.train)]
        # A dimension on which all images agree must not be divided by nothing.
        mean, std = train.mean(0), np.maximum(train.std(0), 1e-3)
        return Standardised((values - mean) / std, mean, std)

    def _axes_at(self, power: float) -> Axes:
        """Return axes in no order, on which the diagnosis dimensions' distance is that of the metric of this power."""
        means, guided = self.encoded.means[self.rows(self.folds.train)], self._guided
        even = evened(means[:, :guided], power)
        turn = np.zeros((self.model.dimensions, self.model.dimensions))
        turn[:guided, :guided] = towards_classes(self._head @ np.linalg.inv(even), means[:, :guided] @ even) @ even
        turn[guided:, guided:] = self._appearance_turn
        return Axes(means.mean(0).astype(np.float64), turn)

    @cached_property
    def _appearance_turn(self) -> Floats:
        train = self.rows(self.folds.train)
        return towards_factors(self.encoded.means[train, self._guided :], self.factors.values[train])

    @torch.no_grad()
    def _effect(self, chosen: Axes) -> Floats:
        """Return how much the average image changes [D] from -2 to 2 standard deviations of each dimension."""
        train = self.rows(self.folds.train)
        values = chosen.of(self.encoded.means[train])
        step = 2 * values.std(0)
        latents = values.mean(0) + np.concatenate([np.diag(step), -np.diag(step)])  # [2D,D]
        raw = latents @ chosen.back.T + chosen.centre
        up, down = self.network.decoder(torch.from_numpy(raw).float()).chunk(2)
        return np.asarray((up - down).abs().mean((1, 2, 3)).numpy())


def _listed(folds: tuple[int, ...]) -> str:
    return "fold " + str(folds[0]) if len(folds) == 1 else "folds " + ", ".join(map(str, folds))
