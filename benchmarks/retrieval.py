"""How well the shipped bundle's neighbours agree: fold 0 asks, folds 1 to 4 answer, beside baselines.

Everything passes the bundle's own graphs and serving's own decoding, so it also proves that what was exported is what
was measured in training. ``python -m benchmarks.retrieval [DATA] [BUNDLE]``
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.report import ROOT, is_quick, report
from casekin.bundle import open_bundle
from casekin.contracts.bundle import BundleManifest
from training.cases import LabelledCase, read_cases
from training.evaluation.figures import retrieval_metrics
from training.evaluation.retrieval import Labelled
from training.losses import structural_similarity
from training.module import shrink
from training.pixels import Pixels, cached_pixels

SHOWN = ("p_at_1_macro", "p_at_5_macro", "knn5_balanced", "melanoma_p_at_5", "auc_malignant_16")
Floats = NDArray[np.float32]


def main(data: Path, bundle: Path) -> None:
    """Measure and report."""
    opened = open_bundle(bundle)
    manifest = opened.manifest
    cases = read_cases(data)
    if is_quick():
        cases = cases[::6]
    with TemporaryDirectory() as cache:
        pixels = cached_pixels(data, [case.id for case in cases], manifest.input, Path(cache))
        latents, milliseconds = _latents(opened.file("encoder.onnx"), pixels, manifest)
        colours = pixels.reshape(len(pixels), -1, 3).mean(1).astype(np.float32)
        test = [row for row, case in enumerate(cases) if case.fold == 0]
        similarity = _similarity(opened.file("decoder.onnx"), latents[test], pixels[test], manifest)
    clinical = np.array(manifest.clinical_weights)
    figures = _figures(cases, latents, clinical, manifest.classes)
    others = {
        "visual preset": _figures(cases, latents, np.ones_like(clinical), manifest.classes),
        "mean colour": _figures(cases, colours, np.ones(3), manifest.classes),
        "random": _figures(cases, np.random.default_rng(0).normal(size=(len(cases), 8)), np.ones(8), manifest.classes),
    }
    details = {name: " ".join(f"{key} {row[key]:.3f}" for key in SHOWN) for name, row in others.items()}
    details |= {key: f"{value:.4f}" for key, value in figures.items() if key not in SHOWN}
    shown = {key: figures[key] for key in SHOWN} | {"ssim": similarity, "encoder_ms": milliseconds}
    if "ssim_pca" in manifest.metrics:
        shown["ssim_pca"] = manifest.metrics["ssim_pca"]
    report("retrieval", shown, {"bundle": manifest.version, "cases": len(cases), **details}, quick=is_quick())


def _figures(
    cases: Sequence[LabelledCase], latents: NDArray[np.floating], weights: NDArray[np.floating], classes: list[str]
) -> dict[str, float]:
    labels = np.array([classes.index(case.diagnosis) for case in cases])
    asked = np.array([case.fold == 0 for case in cases])

    def part(rows: NDArray[np.bool_]) -> Labelled:
        chosen = np.flatnonzero(rows)
        return Labelled(latents[chosen], labels[chosen], [cases[int(row)].lesion for row in chosen])

    return retrieval_metrics(part(asked), part(~asked), weights, classes)


def _latents(encoder: Path, pixels: Pixels, manifest: BundleManifest) -> tuple[Floats, float]:
    session = _session(encoder)
    means, times = [], []
    for row in pixels:
        image = np.ascontiguousarray(row.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        start = time.perf_counter()
        means.append(np.asarray(session.run(["mean"], {"image": image})[0])[0])
        times.append(time.perf_counter() - start)
    mean = np.array([d.mean for d in manifest.dimensions], np.float32)
    std = np.array([d.std for d in manifest.dimensions], np.float32)
    return (np.stack(means) - mean) / std, float(np.median(times) * 1000)


def _similarity(decoder: Path, latents: Floats, pixels: Pixels, manifest: BundleManifest) -> float:
    session, values = _session(decoder), []
    for start in range(0, len(latents), 64):
        decoded = torch.from_numpy(np.asarray(session.run(["image"], {"latent": latents[start : start + 64]})[0]))
        raw = torch.from_numpy(pixels[start : start + 64]).permute(0, 3, 1, 2).float() / 255
        values.append(structural_similarity(decoded, shrink(raw, manifest.output.height, manifest.output.width)))
    return float(torch.cat(values).mean())


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [ROOT.parent / "shared" / "data" / "ham10000", ROOT / "bundles" / "default"][len(given) :]))
