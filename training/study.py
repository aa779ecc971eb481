"""What is learned and measured about a trained network on top of its weights: axes, weights, calibration, figures."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training import encoding, factors, weights
from training.axes import Axes, name_dimensions, towards_classes, towards_factors
from training.config import DataConfig, Scalar
from training.data import Collection
from training.evaluation.figures import retrieval_metrics
from training.evaluation.retrieval import Labelled, neighbours
from training.models import GuidedVAE

Floats = npt.NDArray[np.floating]


APPEARANCE_START = 0.05
"""Clinical weight of an appearance dimension, to a diagnosis dimension's 1, before learning."""


@dataclass(frozen=True)
class Folds:
    """Who teaches, who chooses, who is asked."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def gallery(self) -> tuple[int, ...]:
        """All that a test query may find."""
        return self.train + self.validation


class Study:
    """One trained network on one collection. Each figure names the folds that it comes from.

    Axes, their mean and spread come from the training folds; weights, temperature and calibration from the validation
    folds; the test folds are only asked at the end.
    """

    def __init__(
        self, data: DataConfig, network: GuidedVAE, recipe: dict[str, Scalar], collection: Collection, folder: Path
    ) -> None:
        self.network, self.recipe, self.collection, self._folder = network, recipe, collection, folder
        self.model = network.config
        known = {case.fold for case in collection.cases}
        train, validation = data.train_folds, data.validation_folds
        self.folds = Folds(train, validation, tuple(sorted(known - set(train) - set(validation))))
        self._guided = self.model.diagnosis_dimensions

    @cached_property
    def encoded(self) -> encoding.Encoded:
        """All cases."""
        return encoding.encode(self.network, self.collection)

    @cached_property
    def factors(self) -> Floats:
        """Measured properties [N,F] of all cases."""
        ids = [case.id for case in self.collection.cases]
        return factors.measured_factors(self._folder, ids, self.collection.pixels)

    @cached_property
    def axes(self) -> Axes:
        """Diagnosis dimensions by clinical weight, then appearance dimensions by how much of the image they change."""
        return self._unordered_axes.reordered(self._order)

    @cached_property
    def latents(self) -> Floats:
        """Standardised latents [N,D] on the exported axes."""
        return self._standard(self.axes)

    @cached_property
    def mean(self) -> Floats:
        """[D], of raw exported latents over the training folds."""
        return np.asarray(self.axes.of(self.encoded.means)[self._rows(self.folds.train)].mean(0))

    @cached_property
    def std(self) -> Floats:
        """[D], likewise."""
        return _spread(self.axes.of(self.encoded.means)[self._rows(self.folds.train)])

    @cached_property
    def clinical_weights(self) -> Floats:
        """[D], of mean 1."""
        return self._unordered_weights[self._order]

    @cached_property
    def names(self) -> list[str]:
        """A name for each dimension, or its number where nothing that we measured goes with it."""
        train = self._rows(self.folds.train)
        turned = self.network.head.weight.detach().numpy() @ self.axes.turn[:, : self._guided].T  # [C,D]
        given: list[str | None] = [None] * len(self.mean)
        for number, code in enumerate(self.collection.classes if len(turned) <= self.model.exported_diagnosis else []):
            given[int(turned[number].argmax())] = f"Towards {code}"
        return name_dimensions(self.latents[train], self.factors[train], factors.FACTORS, given)

    @cached_property
    def log_prior(self) -> Floats:
        """[C], of the diagnoses' shares of the training folds."""
        return np.log(np.maximum(self.collection.class_shares(), 1e-6))

    @cached_property
    def temperature(self) -> float:
        """That makes the head's probabilities fit the validation folds."""
        rows = self._rows(self.folds.validation)
        return weights.temperature(self.logits(rows), self.encoded.labels[rows])

    def logits(self, rows: npt.NDArray[np.int64]) -> Floats:
        """Return the head's logits [N,C] with the prior of the training folds."""
        with torch.no_grad():
            balanced = self.network.logits(torch.from_numpy(self.encoded.means[rows])).numpy()
        return np.asarray(balanced + self.log_prior)

    def labelled(self, folds: tuple[int, ...]) -> Labelled:
        """Return the standardised cases of these folds."""
        return self.encoded.select(folds, self.latents)

    def presets(self) -> dict[str, Floats]:
        """Return the weights [D] by preset."""
        return {"visual": np.ones(len(self.mean)), "clinical": self.clinical_weights}

    def figures(self) -> dict[str, float]:
        """Return all figures on the test folds; those of the visual preset carry its name in front."""
        queries, gallery = self.labelled(self.folds.test), self.labelled(self.folds.gallery)
        presets, classes = self.presets(), self.collection.classes
        result = retrieval_metrics(queries, gallery, presets["clinical"], classes)
        visual = retrieval_metrics(queries, gallery, presets["visual"], classes)
        result |= {f"visual_{name}": value for name, value in visual.items()}
        rows = self._rows(self.folds.test)
        rebuilt = encoding.reconstruct(self.network, self.collection, self.encoded, rows)
        result |= {"ssim": float(rebuilt.similarity.mean()), "mse": float(rebuilt.squared_error.mean())}
        train = self._rows(self.folds.train).tolist()
        size = self.model.exported
        components = encoding.principal_component_similarity(self.network, self.collection, train, rows.tolist(), size)
        result["ssim_pca"] = float(components.mean())
        guessed, truth = self.logits(rows).argmax(1), self.encoded.labels[rows]
        result["head_balanced"] = float(np.mean([(guessed[truth == c] == c).mean() for c in np.unique(truth)]))
        balanced = (self.logits(rows) - self.log_prior).argmax(1)
        result["head_balanced_by_prior"] = float(
            np.mean([(balanced[truth == c] == c).mean() for c in np.unique(truth)])
        )
        return result

    def strangeness(self) -> dict[str, float]:
        """Return quantiles over the validation folds beyond which an image is unlike the collection."""
        rows = self._rows(self.folds.validation)
        _, distances = neighbours(
            self.labelled(self.folds.validation), self.labelled(self.folds.train), np.ones(len(self.mean)), 1
        )
        rebuilt = encoding.reconstruct(self.network, self.collection, self.encoded, rows)
        light = [self._light(row) for row in rows]
        sharpness, brightness = np.array(light).T
        return {
            "nearest_distance_0.99": float(np.quantile(distances, 0.99)),
            "reconstruction_error_0.99": float(np.quantile(rebuilt.squared_error, 0.99)),
            "sharpness_0.01": float(np.quantile(sharpness, 0.01)),
            "brightness_0.01": float(np.quantile(brightness, 0.01)),
            "brightness_0.99": float(np.quantile(brightness, 0.99)),
        }

    def _light(self, row: int) -> tuple[float, float]:
        # The definitions of the contract `casekin.contracts.encoder.Quality`.
        luma = self.collection.pixels[self.encoded.positions[row]] @ np.array([0.299, 0.587, 0.114]) / 255
        inner = luma[1:-1, 1:-1]
        around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
        return float(np.var(around - 4 * inner) * 1000), float(luma.mean())

    @cached_property
    def _order(self) -> list[int]:
        effect = self._effect(self._unordered_axes)
        kept = self.model.exported_diagnosis
        guided = sorted(range(kept), key=lambda index: -self._unordered_weights[index])
        return guided + sorted(range(kept, len(effect)), key=lambda index: -effect[index])

    @cached_property
    def _unordered_weights(self) -> Floats:
        latents = self._standard(self._unordered_axes)
        queries = self.encoded.select(self.folds.validation, latents)
        start = np.where(np.arange(latents.shape[1]) < self.model.exported_diagnosis, 1.0, APPEARANCE_START)
        return weights.learn_weights(queries, self.encoded.select(self.folds.train, latents), start)

    @cached_property
    def _unordered_axes(self) -> Axes:
        train = self._rows(self.folds.train)
        means, model = self.encoded.means[train], self.model
        head = self.network.head.weight.detach().numpy()
        kept, guided = model.exported_diagnosis, model.diagnosis_dimensions
        turn = np.zeros((model.exported, model.dimensions))
        turn[:kept, :guided] = towards_classes(head, means[:, :guided], kept)
        turn[kept:, guided:] = towards_factors(means[:, guided:], self.factors[train])
        return Axes(means.mean(0).astype(np.float64), turn)

    def _standard(self, chosen: Axes) -> Floats:
        values = chosen.of(self.encoded.means)
        train = values[self._rows(self.folds.train)]
        return np.asarray((values - train.mean(0)) / _spread(train))

    @torch.no_grad()
    def _effect(self, chosen: Axes) -> Floats:
        """Return how much the average image changes [D] from -2 to 2 standard deviations of each dimension."""
        train = self._rows(self.folds.train)
        values = chosen.of(self.encoded.means[train])
        step = 2 * values.std(0)
        latents = values.mean(0) + np.concatenate([np.diag(step), -np.diag(step)])  # [2D,D]
        raw = latents @ chosen.back.T + chosen.centre
        up, down = self.network.decoder(torch.from_numpy(raw).float()).chunk(2)
        return np.asarray((up - down).abs().mean((1, 2, 3)).numpy())

    def _rows(self, folds: tuple[int, ...]) -> npt.NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.encoded.folds, folds))


def _spread(values: Floats) -> Floats:
    # A dimension on which all images agree must not be divided by nothing.
    return np.asarray(np.maximum(values.std(0), 1e-3))
