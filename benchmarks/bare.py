"""The bare loop that the upload path is measured against: no HTTP, no contracts, no checks.

One process a core, each on one thread of ONNX Runtime: decode the JPEG, scale it, run the encoder, the head and the
decoder as an upload from the page does, then an exact scan of all latents for the nearest twelve.
"""

import io
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from casekin.bundle import read_manifest

FILTERS = {name: Image.Resampling[name.upper()] for name in ("bilinear", "box", "bicubic")}


class BareLoop:
    """`processes` of the loop, waiting between measurements."""

    def __init__(self, processes: int, bundle: Path, latents: NDArray[np.float32], queries: list[bytes]) -> None:
        context = get_context("spawn")
        self._lines = []
        for _ in range(processes):
            here, there = context.Pipe()
            worker = context.Process(target=_serve, args=(there, bundle, latents, queries), daemon=True)
            worker.start()
            self._lines.append((here, worker))
        for line, _ in self._lines:
            line.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line, worker in self._lines:
            line.send(0.0)
            worker.join(10)

    def rate(self, seconds: float) -> float:
        """Images a second over all processes, measured for `seconds`."""
        for line, _ in self._lines:
            line.send(seconds)
        return float(sum(line.recv() for line, _ in self._lines))


class Graphs:
    """The bundle in plain ONNX Runtime."""

    def __init__(self, bundle: Path) -> None:
        manifest = read_manifest(bundle)
        self.size = (manifest.input.width, manifest.input.height)
        self.filter = FILTERS[manifest.input.resample]
        self.mean = np.array([d.mean for d in manifest.dimensions], np.float32)
        self.std = np.array([d.std for d in manifest.dimensions], np.float32)
        self.weights = np.array(manifest.clinical_weights, np.float32)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.encoder, self.head, self.decoder = (
            ort.InferenceSession(bundle / f"{name}.onnx", options) for name in ("encoder", "head", "decoder")
        )

    def latent(self, data: bytes) -> NDArray[np.float32]:
        """The standardised latent [D] of a JPEG of the encoder's aspect."""
        image = Image.open(io.BytesIO(data)).convert("RGB").resize(self.size, self.filter)
        pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255
        latent: NDArray[np.float32] = (self.encoder.run(["mean"], {"image": pixels})[0] - self.mean) / self.std
        self.head.run(None, {"latent": latent})
        self.decoder.run(None, {"latent": latent})
        one: NDArray[np.float32] = latent[0]
        return one

    def nearest(self, latent: NDArray[np.float32], latents: NDArray[np.float32], k: int = 12) -> NDArray[np.intp]:
        """Rows of the `k` nearest latents under the clinical weights, nearest first."""
        distances = ((latents - latent) ** 2) @ self.weights
        nearest: NDArray[np.intp] = np.argpartition(distances, k)[:k]
        return nearest[np.argsort(distances[nearest])]


def _serve(line: Connection, bundle: Path, latents: NDArray[np.float32], queries: list[bytes]) -> None:
    graphs = Graphs(bundle)
    graphs.nearest(graphs.latent(queries[0]), latents)
    line.send("ready")
    while seconds := line.recv():
        done, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            graphs.nearest(graphs.latent(queries[done % len(queries)]), latents)
            done += 1
        line.send(done / elapsed)
