"""A second bundle out of a first: the same model with its dimensions in the reverse order.

It is as good as the first, so what it finds can be checked, and its latents are of no use to the first: a search that
is answered from the other's index shows at once in its distances.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from casekin.bundle import MANIFEST, read_manifest, sha256_of
from casekin.contracts.bundle import BundleManifest, FileDigest

ENDS = {
    "encoder.onnx": ("mean", "log_variance"),
    "decoder.onnx": ("latent",),
    "head.onnx": ("latent",),
}
"""By graph, the tensors [B,D] in which dimensions have an order."""


def reversed_bundle(source: Path, folder: Path, version: str) -> BundleManifest:
    """Write the bundle in `source` into `folder` with its dimensions reversed, as `version`; returns its manifest."""
    folder.mkdir(parents=True)
    old = read_manifest(source)
    for name, tensors in ENDS.items():
        graph = onnx.load(source / name)
        for tensor in tensors:
            _reverse(graph.graph, tensor, len(old.dimensions))
        onnx.checker.check_model(graph)
        (folder / name).write_bytes(graph.SerializeToString())
    dimensions = [one.model_copy(update={"index": i}) for i, one in enumerate(reversed(old.dimensions))]
    files = {
        name: FileDigest(sha256=sha256_of(folder / name), size=(folder / name).stat().st_size) for name in old.files
    }
    changed = {
        "version": version,
        "dimensions": dimensions,
        "clinical_weights": old.clinical_weights[::-1],
        "files": files,
    }
    manifest = old.model_copy(update=changed)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2))
    return manifest


def _reverse(graph: onnx.GraphProto, tensor: str, D: int) -> None:
    """Reverse the columns of an input or output [B,D] of `graph`, which keeps its name."""
    inside, order = f"{tensor}_in_order", f"{tensor}_order"
    for node in graph.node:
        node.input[:] = [inside if name == tensor else name for name in node.input]
        node.output[:] = [inside if name == tensor else name for name in node.output]
    graph.initializer.append(numpy_helper.from_array(np.arange(D)[::-1].copy(), order))
    if any(one.name == tensor for one in graph.input):
        graph.node.insert(0, helper.make_node("Gather", [tensor, order], [inside], axis=1))
    else:
        graph.node.append(helper.make_node("Gather", [inside, order], [tensor], axis=1))
