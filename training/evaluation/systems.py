"""What evaluation asks of a model, and the bundle as one: what is measured is what ships."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from casekin.bundle import open_bundle
from casekin.contracts.bundle import BundleManifest, InputSpec, OutputSpec, Provenance
from casekin.errors import BadInput
from training.data.image_cache import Pixels
from training.evaluation.retrieval import Floats
from training.evaluation.split import Vectors

BATCH = 32


HELD_FOLDS = "held.folds"
"""Of a recipe: the folds whose lesions chose the clinical weights and calibrated what is promised."""


@dataclass(frozen=True)
class LearnedFrom:
    """The folds that had a say in a model; empty where it does not tell."""

    weights: frozenset[int]
    """Trained the network."""
    choices: frozenset[int]
    """Chose preset weights, temperature, calibration."""


@dataclass(frozen=True)
class Curve:
    """What a model says of a match at a distance: the share that had the query's diagnosis."""

    distances: Floats
    """[P], rising"""
    shares: Floats
    """[P], falling"""

    def at(self, distances: Floats) -> Floats:
        """Return the share at each distance, linear between the points and level beyond them, as serving does."""
        return np.asarray(np.interp(distances, self.distances, self.shares))


class System(Protocol):
    """A model under test."""

    name: str
    input: InputSpec
    classes: list[str]
    presets: Mapping[str, Floats]
    """Weights [D] by name; the first is the headline."""
    similarity: Mapping[str, Curve]
    """By preset, as far as it has them."""
    provenance: Provenance

    @property
    def output(self) -> OutputSpec | None:
        """Size of its decoded images; None for one without a decoder."""

    def embed(self, pixels: Pixels) -> Floats:
        """Return the latents [N,D] of images uint8 [N,H,W,3] of the size `input`."""

    def probabilities(self, latents: Floats) -> Floats | None:
        """Return those of the diagnoses [N,C], or None for a model without a class head."""

    def reconstruct(self, latents: Floats) -> Floats:
        """Return images [N,3,h,w] in 0..1; asked only of a model with `output`."""


class BundleSystem:
    """A bundle through its own graphs, one thread."""

    def __init__(self, folder: Path) -> None:
        """Open the bundle; raises `BundleRefused` for one that serving would refuse."""
        bundle = open_bundle(folder)
        manifest = bundle.manifest
        self.name, self.input, self.classes = manifest.version, manifest.input, manifest.classes
        self.output = manifest.output
        weights = np.array(manifest.clinical_weights)
        self.presets: Mapping[str, Floats] = {"clinical": weights, "visual": np.ones_like(weights)}
        self.similarity: Mapping[str, Curve] = {
            preset: Curve(np.array([p.distance for p in points]), np.array([p.share for p in points]))
            for preset, points in manifest.similarity.items()
        }
        self.provenance = manifest.provenance
        self._mean = np.array([d.mean for d in manifest.dimensions], np.float32)
        self._std = np.array([d.std for d in manifest.dimensions], np.float32)
        self._sessions = {name: _session(bundle.file(f"{name}.onnx")) for name in ("encoder", "decoder", "head")}

    def embed(self, pixels: Pixels) -> Floats:
        """Return the standardised latents [N,D] of images uint8 [N,H,W,3] of the size `input`."""
        means = []
        for start in range(0, len(pixels), BATCH):
            images = np.ascontiguousarray(pixels[start : start + BATCH].transpose(0, 3, 1, 2), np.float32)
            means.append(self._run("encoder", "mean", image=images / np.float32(255)))
        return (np.concatenate(means) - self._mean) / self._std

    def probabilities(self, latents: Floats) -> Floats:
        """Return the class head's probabilities [N,C]."""
        return self._run("head", "probabilities", latent=latents.astype(np.float32))

    def reconstruct(self, latents: Floats) -> Floats:
        """Return decoded images [N,3,h,w] in 0..1."""
        return self._run("decoder", "image", latent=latents.astype(np.float32))

    def _run(self, graph: str, wanted: str, **given: Floats) -> Floats:
        return np.asarray(self._sessions[graph].run([wanted], given)[0])


def under_presets(system: System, latents: Floats) -> list[Vectors]:
    """Return the system's latents [N,D] under each of its presets, by whose names they go."""
    return [Vectors(preset, latents, weights) for preset, weights in system.presets.items()]


def learned_from(provenance: Provenance) -> LearnedFrom:
    """Return the folds that the training recipe names; a run that began with another's weights learned from its too."""

    def of(key: str) -> frozenset[int]:
        recipe = provenance.recipe.items()
        given = [str(value) for name, value in recipe if name == key or name.endswith(f"initial.{key}")]
        return frozenset(int(fold) for folds in given for fold in folds.split())

    return LearnedFrom(of("data.train_folds"), of("data.validation_folds") | of(HELD_FOLDS))


def warnings_about(learned: LearnedFrom, query_folds: tuple[int, ...]) -> list[str]:
    """Return what a reader must know before believing any figure: the queries had a say in the model."""
    asked = set(query_folds)
    found = []
    if not learned.weights:
        found.append("The model does not say which folds it was trained on; the queries may be among them.")
    if seen := learned.weights & asked:
        found.append(
            f"The model was TRAINED on fold {_listed(seen)} of the queries: these figures say what it remembers, not "
            "what it finds."
        )
    if seen := learned.choices & asked:
        found.append(
            f"The preset weights, the calibration or the stopping point of the model were chosen on fold "
            f"{_listed(seen)} of the queries: figures flatter it."
        )
    return found


def refuse_trained_on(manifest: BundleManifest, folds: Collection[int]) -> None:
    """Raise `BadInput` where a bundle was trained on any of these folds, or does not say what it was trained on."""
    trained = learned_from(manifest.provenance).weights
    if not trained:
        raise BadInput(f"bundle {manifest.version} does not say in data.train_folds what it was trained on")
    if seen := trained & set(folds):
        raise BadInput(
            f"bundle {manifest.version} was trained on fold {_listed(seen)}, which this measures: "
            "name one trained without it, such as bundles/proof"
        )


def _listed(folds: set[int] | frozenset[int]) -> str:
    return ", ".join(map(str, sorted(folds)))


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
