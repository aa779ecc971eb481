"""A bundle of four dimensions that needs no training: mean red, green, blue, and how bright the centre is."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from casekin.contracts.bundle import GRAPHS, BundleManifest

HEIGHT, WIDTH, DIMENSIONS = 48, 64, 4
CLASSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
NAMES = ["Red", "Green", "Blue", "Centre brightness"]
MEAN = np.array([0.76, 0.55, 0.57, -0.15], np.float32)
STD = np.array([0.09, 0.11, 0.13, 0.08], np.float32)
NORMAL_QUANTILES = {
    "0.01": -2.326,
    "0.05": -1.645,
    "0.25": -0.674,
    "0.5": 0.0,
    "0.75": 0.674,
    "0.95": 1.645,
    "0.99": 2.326,
}


def build_tiny_bundle(folder: Path, version: str = "tiny-1") -> Path:
    """Write the bundle into `folder`, equal at every call; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in zip(GRAPHS, (_encoder(), _decoder(), _head()), strict=True):
        onnx.checker.check_model(model)
        (folder / name).write_bytes(model.SerializeToString())
    write_manifest(folder, version)
    return folder


def write_manifest(folder: Path, version: str = "tiny-1") -> BundleManifest:
    """Write ``bundle.json`` for the graphs that lie in `folder`."""
    manifest = BundleManifest.model_validate(
        {
            "format": 1,
            "version": version,
            "created": datetime(2026, 11, 22, tzinfo=UTC),
            "input": {"height": HEIGHT, "width": WIDTH, "resample": "bilinear"},
            "output": {"height": HEIGHT, "width": WIDTH},
            "classes": CLASSES,
            "dimensions": [
                {"index": i, "name": NAMES[i], "mean": MEAN[i], "std": STD[i], "quantiles": NORMAL_QUANTILES}
                for i in range(DIMENSIONS)
            ],
            "clinical_weights": [0.5, 1.0, 1.0, 1.5],
            "similarity": {
                "visual": [{"distance": 0.0, "share": 0.9}, {"distance": 6.0, "share": 0.3}],
                "clinical": [{"distance": 0.0, "share": 0.92}, {"distance": 6.0, "share": 0.3}],
            },
            "out_of_distribution": {
                "nearest_distance_0.99": 2.0,
                "reconstruction_error_0.99": 0.03,
                "sharpness_0.01": 0.05,
                "brightness_0.01": 0.3,
                "brightness_0.99": 0.9,
            },
            "metrics": {},
            "provenance": {
                "data": "none: the graphs measure colours",
                "licence": "MIT",
                "citation": "none",
                "protocol": "not evaluated",
                "recipe": {},
            },
            "files": {name: _digest(folder / name) for name in GRAPHS},
        }
    )
    (folder / "bundle.json").write_text(manifest.model_dump_json(indent=2))
    return manifest


def _digest(path: Path) -> dict[str, str | int]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _centre() -> NDArray[np.float32]:
    """A bump of height 1 in the middle of the image, [1,1,H,W]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    radius2 = ((y - HEIGHT / 2 + 0.5) / (HEIGHT / 4)) ** 2 + ((x - WIDTH / 2 + 0.5) / (WIDTH / 4)) ** 2
    return np.exp(-radius2 / 2).astype(np.float32)[None, None]


def _encoder() -> onnx.ModelProto:
    bump = _centre()
    contrast = bump / bump.sum() - (1 - bump) / (1 - bump).sum()
    return _model(
        [
            helper.make_node("ReduceMean", ["image", "pixel_axes"], ["rgb"], keepdims=0),
            helper.make_node("ReduceMean", ["image", "channel_axis"], ["luma"], keepdims=1),
            helper.make_node("Mul", ["luma", "contrast"], ["weighted"]),
            helper.make_node("ReduceSum", ["weighted", "pixel_axes"], ["centre"], keepdims=0),
            helper.make_node("Concat", ["rgb", "centre"], ["mean"], axis=1),
            helper.make_node("Mul", ["mean", "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "spread"], ["log_variance"]),
        ],
        inputs={"image": ["B", 3, HEIGHT, WIDTH]},
        outputs={"mean": ["B", DIMENSIONS], "log_variance": ["B", DIMENSIONS]},
        constants={
            "pixel_axes": np.array([2, 3], np.int64),
            "channel_axis": np.array([1], np.int64),
            "contrast": contrast.astype(np.float32),
            "zero": np.zeros(1, np.float32),
            "spread": np.full(DIMENSIONS, -6.0, np.float32),
        },
    )


def _decoder() -> onnx.ModelProto:
    bump = _centre() - _centre().mean()
    return _model(
        [
            helper.make_node("Mul", ["latent", "std"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["raw"]),
            helper.make_node("Split", ["raw", "parts"], ["rgb", "centre"], axis=1),
            helper.make_node("Unsqueeze", ["rgb", "pixel_axes"], ["colour"]),
            helper.make_node("Unsqueeze", ["centre", "pixel_axes"], ["amount"]),
            helper.make_node("Mul", ["amount", "bump"], ["shade"]),
            helper.make_node("Add", ["colour", "shade"], ["open"]),
            helper.make_node("Clip", ["open", "low", "high"], ["image"]),
        ],
        inputs={"latent": ["B", DIMENSIONS]},
        outputs={"image": ["B", 3, HEIGHT, WIDTH]},
        constants={
            "std": STD,
            "offset": MEAN,
            "parts": np.array([3, 1], np.int64),
            "pixel_axes": np.array([2, 3], np.int64),
            "bump": bump,
            "low": np.array(0, np.float32),
            "high": np.array(1, np.float32),
        },
    )


def _head() -> onnx.ModelProto:
    weights = np.random.default_rng(7).normal(0, 0.7, (DIMENSIONS, len(CLASSES))).astype(np.float32)
    return _model(
        [
            helper.make_node("Gemm", ["latent", "weights", "prior"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        inputs={"latent": ["B", DIMENSIONS]},
        outputs={"probabilities": ["B", len(CLASSES)]},
        constants={"weights": weights, "prior": np.array([0, 0, 0.5, -1, 0.5, 2, -1], np.float32)},
    )


Shapes = dict[str, list[str | int]]


def _model(
    nodes: list[onnx.NodeProto], *, inputs: Shapes, outputs: Shapes, constants: dict[str, NDArray[np.generic]]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
