"""The graphs of a bundle in ONNX Runtime. Shapes: N images, D dimensions, C classes, H W input, h w output."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from casekin.bundle import Bundle
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import LARGEST_DECODED
from casekin.errors import BundleRefused, WrongLatent

Array = NDArray[np.float32]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Encoding:
    """What the model says of one image."""

    latent: Array
    """[D], standardised."""
    log_variance: Array
    """[D], of the raw posterior."""
    probabilities: Array
    """[C]."""


class Model:
    """Image -> latent -> image; safe to share between threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 1, decode_batch: int = 8) -> None:
        self.manifest: BundleManifest = bundle.manifest
        self.decode_batch = decode_batch
        dimensions = self.manifest.dimensions
        self._mean = np.array([d.mean for d in dimensions], np.float32)
        self._std = np.array([d.std for d in dimensions], np.float32)
        size, spec, out = len(dimensions), self.manifest.input, self.manifest.output
        self._encoder = _session(
            bundle,
            "encoder.onnx",
            threads,
            inputs={"image": (3, spec.height, spec.width)},
            outputs={"mean": (size,), "log_variance": (size,)},
        )
        self._decoder = _session(
            bundle,
            "decoder.onnx",
            threads,
            inputs={"latent": (size,)},
            outputs={"image": (3, out.height, out.width)},
        )
        self._head = _session(
            bundle,
            "head.onnx",
            threads,
            inputs={"latent": (size,)},
            outputs={"probabilities": (len(self.manifest.classes),)},
        )

    def encode(self, pixels: Array) -> Encoding:
        """The latent of one image, pixels [3,H,W] in 0..1."""
        mean, log_variance = self._encoder.run(["mean", "log_variance"], {"image": pixels[None]})
        latent = (mean - self._mean) / self._std
        (probabilities,) = self._head.run(["probabilities"], {"latent": latent})
        return Encoding(latent[0], log_variance[0], probabilities[0])

    def decode(self, latents: Array) -> Array:
        """Images [N,3,h,w] in 0..1 of standardised latents [N,D]; fastest with about `decode_batch` at once."""
        decoded: Array = self._decoder.run(["image"], {"latent": latents})[0]
        return np.clip(decoded, 0, 1, out=decoded)  # a second array of this size costs the kernel more than the sum

    def check_latents(self, bundle_version: str, latents: list[list[float]]) -> Array:
        """Latents from outside as an array [N,D]; raises `WrongLatent` naming what was given and expected."""
        if bundle_version != self.manifest.version:
            raise WrongLatent(
                f"the latent is of bundle {bundle_version}, this service has {self.manifest.version}: "
                "encode the image again"
            )
        size = len(self.manifest.dimensions)
        for position, latent in enumerate(latents):
            if len(latent) != size:
                raise WrongLatent(
                    f"latent {position} has {len(latent)} numbers; {bundle_version} has {size} dimensions"
                )
        array = np.array(latents, np.float64)
        if (beyond := np.abs(array).max(axis=1) > LARGEST_DECODED).any():
            position = int(beyond.argmax())
            raise WrongLatent(
                f"latent {position} holds a number beyond ±{LARGEST_DECODED:g}, which no image has; "
                "coordinates are in standard deviations"
            )
        return array.astype(np.float32)


def _session(bundle: Bundle, name: str, threads: int, *, inputs: Shapes, outputs: Shapes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning threads ruin the tail
    options.log_severity_level = 3
    path, graph = bundle.file(name), bundle.read(name)
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise BundleRefused(
            f"{path}: ONNX Runtime cannot load it ({_short(error)}); export the bundle again"
        ) from error
    _check_names(path, "input", inputs, session.get_inputs())
    _check_names(path, "output", outputs, session.get_outputs())
    for batch in (1, 2):
        _try(path, session, batch, inputs, outputs)
    return session


def _check_names(path: Path, side: str, expected: Shapes, found: list[ort.NodeArg]) -> None:
    names = [node.name for node in found]
    missing = expected.keys() - set(names)
    extra = set(names) - expected.keys() if side == "input" else set()
    if missing or extra:
        raise BundleRefused(
            f"{path}: expected {side}s {', '.join(expected)}, found {', '.join(names)}; export the bundle again"
        )


def _try(path: Path, session: ort.InferenceSession, batch: int, inputs: Shapes, outputs: Shapes) -> None:
    """Run the graph as it will be run: the shapes that it declares can be symbols, or untrue of other batches."""
    given = {name: np.zeros((batch, *shape), np.float32) for name, shape in inputs.items()}
    wanted = {name: (batch, *shape) for name, shape in outputs.items()}
    shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
    try:
        results = session.run(list(outputs), given)
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise BundleRefused(
            f"{path}: expected to take {shapes} as bundle.json says, found {_short(error)}; export the bundle again"
        ) from error
    for (name, shape), result in zip(wanted.items(), results, strict=True):
        if result.shape != shape:
            raise BundleRefused(
                f"{path}: expected the output {name} {shape} of {shapes}, found {result.shape}; export the bundle again"
            )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
