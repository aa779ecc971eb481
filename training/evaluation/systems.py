"""The interface of a model under evaluation, and a bundle behind it, measured through the graphs that ship."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from casekin.bundle import open_bundle
from casekin.contracts.bundle import BundleManifest, InputSpec, OutputSpec, Provenance
from casekin.errors import BadInput
from training.data.image_cache import Pixels
from training.evaluation.neighbour_votes import MatchSimilarity
from training.evaluation.retrieval import Floats
from training.evaluation.split import Vectors

BATCH = 32
DIAGNOSIS_LAYER = "/encoder/diagnosis/Gemm"
"""Node of an exported encoder whose input are the pooled features."""
BASE = "base"
"""Second output of a decoder with a generator: the image that the generator changes."""
HELD_OUT_FOLDS = "held.folds"
"""Entry of a recipe: the folds whose lesions chose the clinical weights and the calibration."""


@dataclass(frozen=True)
class LearnedFrom:
    """The folds that a model was made with; empty where it does not say."""

    weights: frozenset[int]
    """Trained the network."""
    choices: frozenset[int]
    """Chose preset weights, temperature, calibration."""

    def test_folds(self, known: Collection[int]) -> tuple[int, ...]:
        """Return those of the `known` folds that had no part in the model, or else those that only chose."""
        untrained = frozenset(known) - self.weights
        return tuple(sorted(untrained - self.choices or untrained))


class System(Protocol):
    """A model under test."""

    name: str
    input: InputSpec
    classes: list[str]
    presets: Mapping[str, Floats]
    """Weights [D] by name; the first is the headline."""
    similarity: Mapping[str, MatchSimilarity]
    """By preset, as far as it has them."""
    provenance: Provenance

    @property
    def output(self) -> OutputSpec | None:
        """Size of its decoded images; None for one without a decoder."""

    def embed(self, pixels: Pixels) -> Floats:
        """Return the latents [N,D] of images uint8 [N,H,W,3] of the size `input`."""

    def features(self, pixels: Pixels) -> Floats | None:
        """Return the pooled features [N,F] that the latent is read from, or None for a model that hides them."""

    def probabilities(self, latents: Floats) -> Floats | None:
        """Return probabilities of the diagnoses [N,C], or None for a model without a class head."""

    def reconstruct(self, latents: Floats) -> Floats:
        """Return images [N,3,h,w] in 0..1; only a model with `output` is called."""


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
        votes = manifest.neighbours.presets if manifest.neighbours else {}
        self.similarity: Mapping[str, MatchSimilarity] = {
            preset: MatchSimilarity(points, votes.get(preset), manifest.classes)
            for preset, points in manifest.similarity.items()
        }
        self.provenance = manifest.provenance
        self._mean = np.array([d.mean for d in manifest.dimensions], np.float32)
        self._std = np.array([d.std for d in manifest.dimensions], np.float32)
        self._encoder = bundle.file("encoder.onnx")
        self._sessions = {name: _session(bundle.file(f"{name}.onnx")) for name in ("encoder", "decoder", "head")}

    def embed(self, pixels: Pixels) -> Floats:
        """Return the standardised latents [N,D] of images uint8 [N,H,W,3] of the size `input`."""
        means = np.concatenate([self._run("encoder", "mean", image=images) for images in _batches(pixels)])
        return (means - self._mean) / self._std

    def features(self, pixels: Pixels) -> Floats | None:
        """Return the backbone's pooled features [N,1280], an inner tensor of the exported graph; None without it."""
        model = onnx.load(self._encoder)
        pooled = _pooled_tensor(model.graph)
        if pooled is None:
            return None
        model.graph.output.append(onnx.helper.make_tensor_value_info(pooled, onnx.TensorProto.FLOAT, None))
        session = _session(model.SerializeToString())
        return np.concatenate([session.run([pooled], {"image": images})[0] for images in _batches(pixels)])

    def probabilities(self, latents: Floats) -> Floats:
        """Return the class head's probabilities [N,C]."""
        return self._run("head", "probabilities", latent=latents.astype(np.float32))

    def reconstruct(self, latents: Floats) -> Floats:
        """Return decoded images [N,3,h,w] in 0..1."""
        return self._run("decoder", "image", latent=latents.astype(np.float32))

    def without_generator(self, latents: Floats) -> Floats:
        """Return the images [N,3,h,w] that the decoder alone makes, before a generator draws into them."""
        names = [output.name for output in self._sessions["decoder"].get_outputs()]
        return self._run("decoder", BASE if BASE in names else "image", latent=latents.astype(np.float32))

    def _run(self, graph: str, wanted: str, **given: Floats) -> Floats:
        return np.asarray(self._sessions[graph].run([wanted], given)[0])


def under_presets(system: System, latents: Floats) -> list[Vectors]:
    """Return the system's latents [N,D] under each of its presets, named by them."""
    return [Vectors(preset, latents, weights) for preset, weights in system.presets.items()]


def learned_from(provenance: Provenance) -> LearnedFrom:
    """Return the folds that the training recipe names.

    With those of a run whose weights it started from, and of any other collection that it was trained on: every setting
    called `train_folds` counts. The same fold of each collection is kept apart (`training.data.other_clinics`).
    """

    def of(setting: str) -> frozenset[int]:
        given = [str(value) for name, value in provenance.recipe.items() if f".{name}".endswith(setting)]
        return frozenset(int(fold) for folds in given for fold in folds.split())

    return LearnedFrom(of("train_folds"), of("validation_folds") | of(f".{HELD_OUT_FOLDS}"))


def warnings_about(learned: LearnedFrom, query_folds: tuple[int, ...]) -> list[str]:
    """Return a warning for each way in which the model was made with the folds of the queries."""
    queried = set(query_folds)
    found = []
    if not learned.weights:
        found.append("The model does not say which folds it was trained on; the queries may be among them.")
    if seen := learned.weights & queried:
        found.append(
            f"The model was TRAINED on fold {_listed(seen)} of the queries: these figures show what it memorised, "
            "not what it finds."
        )
    if seen := learned.choices & queried:
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


def _batches(pixels: Pixels) -> Iterator[npt.NDArray[np.float32]]:
    """Yield images uint8 [N,H,W,3] as the encoder takes them, [B,3,H,W] in 0..1."""
    for start in range(0, len(pixels), BATCH):
        images = np.ascontiguousarray(pixels[start : start + BATCH].transpose(0, 3, 1, 2), np.float32)
        yield images / np.float32(255)


def _pooled_tensor(graph: onnx.GraphProto) -> str | None:
    """Return the name of what the layer of the diagnosis dimensions takes, before its square root if there is one."""
    made_by = {output: node for node in graph.node for output in node.output}
    layer = next((node for node in graph.node if node.name == DIAGNOSIS_LAYER), None)
    if layer is None:
        return None
    before = made_by[layer.input[0]]
    if before.op_type == "Sqrt":  # of the features and a constant (`Encoder.rooted_features`)
        return str(made_by[before.input[0]].input[0])
    return str(layer.input[0])


def _session(graph: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
