"""A trained network on its collection: latents on the exported axes, clinical weights, temperature."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from casekin.contracts.base import Preset
from casekin.errors import BadInput
from training.config.guided import Config, DataConfig, Scalar
from training.data.attribute_images import AttributeImages, read_attribute_images
from training.data.collection import Collection
from training.evaluation.retrieval import Labelled
from training.evaluation.systems import HELD_OUT_FOLDS
from training.fit.allocator import keep_freed_memory
from training.fit.feature_pca import ATTRIBUTES, SEPARATOR
from training.fit.fit import load_trained
from training.latent_space import clinical_metric, embed
from training.latent_space.axes import Axes, align_to_factors, spread_to_power
from training.latent_space.held_out import POWER, RANKING, SHARE, TEMPERATURE, HeldOutCalibration
from training.latent_space.image_factors import KnownFactors, known_factors
from training.latent_space.named_axes import NamedAxes, Target, name_axes, names_towards
from training.models.guided_vae import GuidedVAE

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Folds:
    """Folds by their part in a run; a run that ships has training folds only."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def held_out(self) -> tuple[int, ...]:
        """Folds never trained on, which clinical weights and calibration come from.

        The test folds only where a run has no validation folds; its figures are then flattered.
        """
        return self.validation or self.test

    @property
    def gallery(self) -> tuple[int, ...]:
        """Folds that a test query may find cases of."""
        return self.train + self.validation


class Standardised(NamedTuple):
    """All cases on given axes, standardised by mean and spread of the training folds."""

    latents: Floats
    """[N,D]"""
    mean: Floats
    """[D]"""
    std: Floats
    """[D]"""


class Study:
    """One trained network on one collection.

    Axes, their mean and spread come from the training folds; the clinical weights, temperature and calibration from
    the validation folds, so that the test folds report and choose nothing. A network trained on all folds takes them
    from the proof of its recipe, `proven`. With `compared`, the validation folds are the test folds too: runs that are
    compared with one another, to choose among them, must not open the test folds.
    """

    def __init__(
        self,
        data: DataConfig,
        network: GuidedVAE,
        recipe: dict[str, Scalar],
        collection: Collection,
        folder: Path,
        proven: HeldOutCalibration | None = None,
        compared: bool = False,
        attributes: AttributeImages | None = None,
    ) -> None:
        self.network, self.collection, self._folder, self.proven = network, collection, folder, proven
        self.attributes = attributes
        self.model = network.config
        train, validation = data.train_folds, data.validation_folds
        others = {case.fold for case in collection.cases} - set(train) - set(validation)
        self.folds = Folds(train, (), validation) if compared else Folds(train, validation, tuple(sorted(others)))
        if not self.folds.held_out and proven is None:
            raise BadInput("no fold was held out to calibrate by: name the bundle that proves the recipe (--proof)")
        self._guided = self.model.diagnosis_dimensions
        self._recipe = recipe

    @property
    def protocol(self) -> str:
        """Which folds were trained on, calibrated by and queried, as a sentence."""
        folds = self.folds
        if self.proven is not None:
            own = f"this network was trained on {_listed(folds.train)} and has no figures of its own"
            return f"{own}; those of its recipe: {self.proven.protocol}"
        chosen = (
            f"weights and calibration chosen on {_listed(folds.validation)}, "
            f"figures with queries of {_listed(folds.test)}, by which nothing of this run was chosen, "
            if folds.validation
            else f"figures with queries of {_listed(folds.test)}, by which weights and calibration were chosen too, "
        )
        return (
            f"folds by lesion; trained on {_listed(folds.train)}, {chosen}"
            f"against a gallery of {_listed(folds.gallery)}; "
            "no match of the query's own lesion; preset clinical unless named visual"
        )

    @property
    def recipe(self) -> dict[str, Scalar]:
        """Each setting behind the bundle by name."""
        own = {} if self.proven else {HELD_OUT_FOLDS: " ".join(map(str, self.folds.held_out))}
        learned = {POWER: self.metric.power, SHARE: self.metric.share, TEMPERATURE: self.temperature}
        return self._recipe | learned | own | {RANKING: self._guided}

    @cached_property
    def encoded(self) -> embed.Encoded:
        """Posteriors of all cases."""
        return embed.encode(self.network, self.collection)

    @cached_property
    def factors(self) -> KnownFactors:
        """Known image properties of all cases."""
        ids = [case.id for case in self.collection.cases]
        return known_factors(self._folder, ids, self.collection.pixels)

    @cached_property
    def axes(self) -> Axes:
        """Diagnosis dimensions by clinical weight, then appearance dimensions by how much of the image they change."""
        return self._unordered.reordered(self._order)

    @cached_property
    def ranking_names(self) -> list[str | None]:
        """[S], what each diagnosis dimension follows, in the order of `axes`."""
        return [self._named.names[index] for index in self._order[: self._guided]]

    @cached_property
    def attribute_latents(self) -> Floats:
        """Standardised latents [N,D] of the images that teach attributes."""
        return np.asarray((self.axes.transform(self._attribute_means) - self.mean) / self.std)

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

    @cached_property
    def metric(self) -> clinical_metric.Metric:
        """Parameters of the clinical weights."""
        return clinical_metric.learn_metric(self._sides, self._guided) if self.proven is None else self.proven.metric

    @cached_property
    def temperature(self) -> float:
        """Temperature that fits the head's probabilities to the held-out lesions."""
        if self.proven is not None:
            return self.proven.temperature
        rows = self.rows(self.folds.held_out)
        return clinical_metric.temperature(self.logits(rows), self.encoded.labels[rows])

    def rows(self, folds: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return the rows of `encoded` and `latents` that are of these folds."""
        return np.flatnonzero(np.isin(self.encoded.folds, folds))

    def positions(self, folds: tuple[int, ...]) -> list[int]:
        """Return the positions of these folds' cases in the collection."""
        return [self.encoded.positions[row] for row in self.rows(folds)]

    @property
    def diagnosis_dimensions(self) -> int:
        """S, the number of dimensions that rank; they come first."""
        return self._guided

    @cached_property
    def _order(self) -> list[int]:
        # Diagnosis dimensions by spread, which is their clinical weight; the others by effect on the image.
        axes = self._unordered
        effect, spread = self._effect(axes), axes.transform(self.encoded.means).std(0)
        guided = sorted(range(self._guided), key=lambda index: -spread[index])
        return guided + sorted(range(self._guided, len(effect)), key=lambda index: -effect[index])

    def _sides(self, power: float) -> clinical_metric.Sides:
        standard = self._standardised(self._axes_at(power))
        queries, gallery = (
            self.encoded.select(folds, standard.latents) for folds in (self.folds.held_out, self.folds.train)
        )
        return clinical_metric.Sides(queries, gallery, standard.std)

    def _standardised(self, axes: Axes) -> Standardised:
        values = axes.transform(self.encoded.means)
        train = values[self.rows(self.folds.train)]
        # A dimension on which all images agree must not be divided by zero.
        mean, std = train.mean(0), np.maximum(train.std(0), 1e-3)
        return Standardised((values - mean) / std, mean, std)

    @cached_property
    def _unordered(self) -> Axes:
        """Axes of the metric's power, turned to what has a name."""
        axes, guided = self._axes_at(self.metric.power), self._guided
        matrix = axes.matrix.copy()
        matrix[:guided, :guided] = self._named.matrix @ matrix[:guided, :guided]
        return Axes(axes.centre, matrix)

    def _axes_at(self, power: float) -> Axes:
        """Return axes not yet turned; distance among the diagnosis dimensions is that of the metric of this power."""
        means, guided = self.encoded.means[self.rows(self.folds.train)], self._guided
        matrix = np.zeros((self.model.dimensions, self.model.dimensions))
        matrix[:guided, :guided] = spread_to_power(means[:, :guided], power)
        matrix[guided:, guided:] = self._appearance_matrix
        return Axes(means.mean(0).astype(np.float64), matrix)

    @cached_property
    def _named(self) -> NamedAxes:
        """The turn of the diagnosis dimensions; a network that ships takes the names that its proof chose."""
        axes, train = self._axes_at(self.metric.power), self.rows(self.folds.train)
        means = axes.transform(self.encoded.means[train])[:, : self._guided]
        chosen = None if self.proven is None else self.proven.chosen
        return name_axes(means, self._targets(axes), self._attribute_axes(axes), chosen)

    def _attribute_axes(self, axes: Axes) -> dict[str, Floats]:
        """Return the direction [S] of each attribute that the network has a dimension for, by name.

        These dimensions are the last of those of diagnosis.
        """
        names = [name for name in str(self._recipe.get(ATTRIBUTES) or "").split(SEPARATOR) if name]
        back = np.linalg.inv(axes.matrix[: self._guided, : self._guided])
        return dict(zip(names, back[self._guided - len(names) :], strict=True))

    def _targets(self, axes: Axes) -> list[Target]:
        train = self.rows(self.folds.train)
        means = axes.transform(self.encoded.means[train])[:, : self._guided]
        lesions = np.array([self.encoded.lesions[row] for row in train], dtype=str)
        labels = self.collection.label_matrix[[self.encoded.positions[row] for row in train]]
        measures = zip(self.factors.names, self.factors.values[train].T, strict=True)
        diagnoses = zip(self.diagnosis_names, labels.T.astype(float), strict=True)
        found = [Target(name, "measure", means, values, lesions) for name, values in measures]
        return found + [Target(name, "diagnosis", means, values, lesions) for name, values in diagnoses]

    @property
    def diagnosis_names(self) -> list[str]:
        """[C], names of dimensions along which an image becomes more like one of a diagnosis."""
        return names_towards([self.collection.vocabulary.name(code) for code in self.collection.classes])

    @cached_property
    def _attribute_means(self) -> Floats:
        """Means [N,D] of the images that teach attributes, on the network's own axes."""
        if self.attributes is None:
            return np.empty((0, self.model.dimensions), np.float32)
        return embed.means_of(self.network, self.attributes.batches(np.arange(len(self.attributes.values))))

    @cached_property
    def _appearance_matrix(self) -> Floats:
        train = self.rows(self.folds.train)
        return align_to_factors(self.encoded.means[train, self._guided :], self.factors.values[train])

    @torch.no_grad()
    def _effect(self, chosen: Axes) -> Floats:
        """Return how much the average image changes [D] from -2 to 2 standard deviations of each dimension."""
        train = self.rows(self.folds.train)
        values = chosen.transform(self.encoded.means[train])
        step = 2 * values.std(0)
        latents = values.mean(0) + np.concatenate([np.diag(step), -np.diag(step)])  # [2D,D]
        raw = latents @ chosen.inverse.T + chosen.centre
        up, down = self.network.decode(torch.from_numpy(raw).float()).chunk(2)
        return np.asarray((up - down).abs().mean((1, 2, 3)).numpy())


def load_study(
    config: Config,
    checkpoint: Path,
    folder: Path,
    cache: Path,
    limit: int | None = None,
    proven: HeldOutCalibration | None = None,
    attributes: Sequence[Path] = (),
) -> Study:
    """Return the study of a checkpoint on the collection and folds that the configuration names.

    A run on all folds needs the calibration that the proof of its recipe learned, `proven`. The tables of the folders
    `attributes` say which attributes their images show; dimensions are named after these.
    """
    keep_freed_memory()
    torch.set_num_threads(config.optimiser.threads)
    collection = Collection(folder, cache, config.data, config.seed, limit)
    trained = load_trained(checkpoint)
    seen = read_attribute_images(attributes, collection.spec, cache)
    return Study(config.data, trained.network, trained.recipe, collection, folder, proven, attributes=seen)


def _listed(folds: tuple[int, ...]) -> str:
    return "fold " + str(folds[0]) if len(folds) == 1 else "folds " + ", ".join(map(str, folds))
