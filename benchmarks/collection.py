"""Latents of the real cases, for benchmarks that leave fold 0 out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.places import HAM10000, PROOF
from casekin.bundle import open_bundle
from casekin.collections import open_collection
from casekin.contracts.bundle import BundleManifest
from casekin.imaging.read import cover, read_image, to_array
from services.projector.latents.collection_latents import CollectionLatents
from training.data.cases import read_collection
from training.evaluation.systems import refuse_trained_on

HELD_OUT = (0,)
"""Folds that a bundle may not have been trained on, as benchmarks place or find their cases as new ones."""


@dataclass(frozen=True)
class Encoded:
    """N cases with latents."""

    collection: CollectionLatents
    manifest: BundleManifest
    fold: NDArray[np.int_]
    """[N]"""


def encoded(every: int = 1, bundle: Path = PROOF) -> Encoded:
    """Encode each `every`-th case of HAM10000 as serving does; raise `BadInput` for a bundle that has seen fold 0."""
    opened = open_bundle(bundle)
    manifest = opened.manifest
    refuse_trained_on(manifest, HELD_OUT)
    rows = open_collection(HAM10000).rows[::every]
    folds = {case.id: case.fold for case in read_collection(HAM10000).cases}
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(opened.file("encoder.onnx"), options, providers=["CPUExecutionProvider"])
    images = (to_array(cover(read_image(row.image.read()), manifest.input)) for row in rows)
    raw = np.concatenate([session.run(["mean"], {"image": image[None]})[0] for image in images])
    mean, std = (np.array([getattr(one, name) for one in manifest.dimensions]) for name in ("mean", "std"))
    collection = CollectionLatents(
        manifest.version,
        "measured",
        [row.case.id for row in rows],
        [row.case.diagnosis for row in rows],
        [row.case.lesion_id for row in rows],
        ((raw - mean) / std).astype(np.float32),
    )
    return Encoded(collection, manifest, np.array([folds[row.case.id] for row in rows]))
