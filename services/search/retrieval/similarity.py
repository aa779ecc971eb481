"""Similarity of a match: the probability that it shares the query's diagnosis."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.base import Preset
from casekin.contracts.bundle import BundleManifest, CalibrationPoint, SimilarityModel
from casekin.contracts.cases import Case
from casekin.contracts.neighbours import NeighbourStatistics
from casekin.similarity import probability_of_agreement
from services.search.vector_store.named_vectors import Metric

Floats = NDArray[np.float64]


class Curve:
    """Share by distance."""

    def __init__(self, points: Sequence[CalibrationPoint]) -> None:
        self._at, self._shares = np.array([p.distance for p in points]), np.array([p.share for p in points])

    def at(self, distances: Floats) -> Floats:
        """Shares [L] at distances [L]: linear between the points, constant beyond the ends."""
        return np.asarray(np.interp(distances, self._at, self._shares))


class Similarity:
    """Similarity of matches, and the weight of a vote, as the bundle's calibration has them."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._curves = {preset: Curve(points) for preset, points in manifest.similarity.items()}
        self._by_diagnosis = {
            preset: {diagnosis: Curve(points) for diagnosis, points in curves.items()}
            for preset, curves in manifest.similarity_by_diagnosis.items()
        }
        calibrated = manifest.neighbours.presets if manifest.neighbours else {}
        self._models = {preset: votes.similarity for preset, votes in calibrated.items()}
        self._clinical = _mean_one(np.array(manifest.clinical_weights, np.float64))

    def vote_weights(self, metric: Metric, distances: Floats) -> list[float]:
        """The weight [L] of a neighbour's vote at distances [L]: the share of the curve of all neighbours."""

        def weights(preset: Preset, scaled: Floats) -> Floats:
            return self._curves[preset].at(scaled)

        return _floats(self._between_presets(metric, distances, weights))

    def of(
        self,
        metric: Metric,
        cases: Sequence[Case],
        distances: Floats,
        statistics: NeighbourStatistics,
        collection: Mapping[str, int],
    ) -> list[float]:
        """The similarity [L] of `cases` at `distances` [L] from a query whose neighbours have these `statistics`.

        `collection` is the number of cases by diagnosis in the whole collection. Where the statistics are calibrated,
        the neighbours' votes count too, and evidence and source of a case; elsewhere diagnosis and distance alone.
        """
        prior = _shares(collection)

        def alone(preset: Preset, scaled: Floats) -> Floats:
            return self._alone(preset, cases, scaled, prior)

        stated = self._between_presets(metric, distances, alone)
        if metric.space == "weighted" or statistics.uncalibrated is not None:
            return _floats(stated)
        nearness = self._curves[metric.space].at(distances)
        for model, rows in _chosen(self._models.get(metric.space, []), cases):
            some = [cases[row] for row in rows]
            stated[rows] = _by_votes(model, some, distances[rows], nearness[rows], statistics, prior)
        return _floats(stated)

    def _alone(self, preset: Preset, cases: Sequence[Case], distances: Floats, prior: Mapping[str, float]) -> Floats:
        """Similarity [L] by diagnosis and distance alone.

        A case whose diagnosis is unknown, or was not calibrated, has the mean of the diagnoses' curves, each counting
        its share of the collection.
        """
        curves = self._by_diagnosis.get(preset)
        if not curves:
            return self._curves[preset].at(distances)
        stated = np.empty(len(cases))
        codes = [case.diagnosis if case.diagnosis in curves else None for case in cases]
        for code in set(codes):
            rows = [row for row, one in enumerate(codes) if one == code]
            stated[rows] = (
                _mean_curve(curves, prior, distances[rows]) if code is None else curves[code].at(distances[rows])
            )
        return stated

    def _between_presets(self, metric: Metric, distances: Floats, of: Callable[[Preset, Floats], Floats]) -> Floats:
        """What holds at distances [L] under a metric, given what holds under a preset.

        Custom weights were not calibrated. Theirs is interpolated between the two presets by how near the weights are
        to either, with distances scaled to weights of mean 1.
        """
        if metric.space != "weighted":
            return of(metric.space, distances)
        scaled = distances * np.sqrt(len(metric.weights) / metric.weights.sum())
        weights = _mean_one(metric.weights)
        apart = [float(np.linalg.norm(weights - preset)) for preset in (np.ones_like(weights), self._clinical)]
        towards = apart[0] / (sum(apart) or 1.0)
        return np.asarray((1 - towards) * of("visual", scaled) + towards * of("clinical", scaled))


def _chosen(models: Sequence[SimilarityModel], cases: Sequence[Case]) -> list[tuple[SimilarityModel, list[int]]]:
    """The rows of diagnosed cases that each model is for: the first that names all of a case's values, or the last."""
    rows: list[list[int]] = [[] for _ in models]
    for row, case in enumerate(cases):
        if case.diagnosis is not None and models:
            named = (all(getattr(case, field) in values for field, values in model.added.items()) for model in models)
            rows[next((number for number, is_named in enumerate(named) if is_named), -1)].append(row)
    return [(model, some) for model, some in zip(models, rows, strict=True) if some]


def _by_votes(
    model: SimilarityModel,
    cases: Sequence[Case],
    distances: Floats,
    nearness: Floats,
    statistics: NeighbourStatistics,
    prior: Mapping[str, float],
) -> Floats:
    """Similarity [L] of diagnosed cases with the votes of the query's neighbours."""
    shares = {one.diagnosis: one.share for one in statistics.diagnoses}
    values = model.added.items()
    added = np.array([sum(of.get(getattr(case, field), 0.0) for field, of in values) for case in cases])
    votes, priors = (np.array([of.get(case.diagnosis or "", 0.0) for case in cases]) for of in (shares, prior))
    return np.asarray(probability_of_agreement(model, added, votes, nearness, distances, priors), np.float64)


def _mean_curve(curves: Mapping[str, Curve], prior: Mapping[str, float], distances: Floats) -> Floats:
    """Mean share [L] of the curves by diagnosis, each weighted by its diagnosis's share of the collection."""
    weights = np.array([prior.get(code, 0.0) for code in curves])
    weights = weights if weights.any() else np.ones(len(curves))
    return np.asarray(np.average([curve.at(distances) for curve in curves.values()], axis=0, weights=weights))


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values()) or 1
    return {code: count / total for code, count in counts.items()}


def _floats(values: Floats) -> list[float]:
    floats: list[float] = values.tolist()
    return floats


def _mean_one(weights: Floats) -> Floats:
    """Weights [D] scaled to a mean of 1."""
    return np.asarray(weights * (len(weights) / (weights.sum() or 1.0)))
