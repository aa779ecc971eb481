"""Writes a bundle: graphs, manifest and model card, all or nothing."""

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from casekin.bundle import open_bundle, sha256_of
from casekin.contracts.bundle import (
    GRAPHS,
    BundleManifest,
    Dimension,
    FileDigest,
    OutputSpec,
    Provenance,
)
from training.evaluation.metrics import HEADLINE, retrieval_metrics
from training.export.model_card import model_card
from training.export.onnx_graphs import DecoderGraph, EncoderGraph, FromStandard, HeadGraph, write_graph
from training.export.quantise import CALIBRATION_IMAGES, embed, quantise
from training.latent_space.calibrate import held_of
from training.latent_space.held_out import Held, write_measured
from training.latent_space.study import Study

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
WITHIN = 0.01
"""What an int8 encoder may change of any headline figure."""
AT_MOST = 2 / 3
"""What an int8 encoder may take of the float one's time: latents that are rounded want a reason."""
EXAMPLES = 16
"""Real images on which the graphs must agree with torch."""


def export(study: Study, target: Path, version: str, created: datetime | None = None) -> BundleManifest:
    """Write the bundle of a study to the folder `target`, replacing what is there only once all is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        partial = Path(name) / "bundle"
        partial.mkdir()
        held = held_of(study)
        figures = held.metrics | _write_graphs(study, partial) | _shrunk(study, held, partial)
        manifest = _manifest(study, held, partial, version, figures, created or datetime.now(UTC))
        (partial / "bundle.json").write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (partial / "MODEL_CARD.md").write_text(model_card(manifest, study, held.measured), encoding="utf-8")
        write_measured(held.measured, partial)
        open_bundle(partial)
        _replace(partial, target)
    return manifest


def _replace(partial: Path, target: Path) -> None:
    old = partial.with_name("old")
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _write_graphs(study: Study, folder: Path) -> dict[str, float]:
    images = torch.from_numpy(np.array(study.collection.pixels[:EXAMPLES])).permute(0, 3, 1, 2).float() / 255
    latents = torch.from_numpy(study.latents[:EXAMPLES]).float()
    back = FromStandard(study.axes, study.mean, study.std)
    encoder = EncoderGraph(study.network, study.axes)
    decoder = DecoderGraph(study.network, back)
    head = HeadGraph(study.network, back, study.log_prior, study.temperature)
    differences = [
        write_graph(encoder, images, folder / "encoder.onnx", "image", ["mean", "log_variance"]),
        write_graph(decoder, latents, folder / "decoder.onnx", "latent", ["image"]),
        write_graph(head, latents, folder / "head.onnx", "latent", ["probabilities"]),
    ]
    return {
        "onnx_parity": max(differences),
        "decoder_ms_per_image": latency(folder / "decoder.onnx", latents) / len(latents),
    }


def _shrunk(study: Study, held: Held, folder: Path) -> dict[str, float]:
    """Put an int8 encoder in the float one's place where it is much quicker and finds as well; return its figures.

    A network that ships goes by what its proof found.
    """
    whole, small = folder / "encoder.onnx", folder / "encoder.int8.onnx"
    train = study.positions(study.folds.train)
    quantise(whole, small, study.collection.pixels[train[:: -(-len(train) // CALIBRATION_IMAGES)]])
    images = torch.from_numpy(np.array(study.collection.pixels[:1])).permute(0, 3, 1, 2).float() / 255
    figures = {"int8_encoder_ms": latency(small, images), "float_encoder_ms": latency(whole, images)}
    if study.given is None:
        figures |= {f"int8_{name}": value for name, value in _found_by(study, small).items()}
        near = all(
            abs(figures[f"int8_{name}"] - held.metrics[name]) <= WITHIN for name in HEADLINE if name in held.metrics
        )
        quick = figures["int8_encoder_ms"] <= AT_MOST * figures["float_encoder_ms"]
        figures["int8_kept"] = float(near and quick)
    else:
        figures["int8_kept"] = held.metrics["int8_kept"]
    kept = small if figures["int8_kept"] else whole
    figures["encoder_ms"] = figures["int8_encoder_ms" if figures["int8_kept"] else "float_encoder_ms"]
    kept.replace(whole)
    small.unlink(missing_ok=True)
    return figures


def _found_by(study: Study, encoder: Path) -> dict[str, float]:
    chosen = np.concatenate([study.rows(folds) for folds in (study.folds.test, study.folds.gallery)])
    pixels = study.collection.pixels[[study.encoded.positions[row] for row in chosen]]
    latents = np.full_like(study.latents, np.nan)
    latents[chosen] = (embed(encoder, pixels) - study.mean) / study.std
    queries, gallery = (study.encoded.select(folds, latents) for folds in (study.folds.test, study.folds.gallery))
    found = retrieval_metrics(queries, gallery, study.clinical_weights, study.collection.classes)
    return {name: found[name] for name in HEADLINE if name in found}


def latency(graph: Path, example: torch.Tensor, repeats: int = 40) -> float:
    """Return the median time in milliseconds of one run with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: example.numpy()}
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        session.run(None, given)
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1000)


def _manifest(
    study: Study, held: Held, folder: Path, version: str, figures: dict[str, float], created: datetime
) -> BundleManifest:
    model, info = study.model, study.collection.source.info
    return BundleManifest(
        format=1,
        version=version,
        created=created,
        input=study.collection.spec,
        output=OutputSpec(height=model.output_height, width=model.output_width),
        classes=study.collection.classes,
        dimensions=_dimensions(study),
        clinical_weights=[float(weight) for weight in study.clinical_weights],
        similarity=held.similarity,
        neighbours=held.neighbours,
        out_of_distribution=held.out_of_distribution,
        metrics={name: round(value, 6) for name, value in figures.items()},
        provenance=Provenance(
            data=f"{info.title}, {len(study.collection.cases)} images",
            licence=f"{info.licence or 'not told'} (of the images; they are not part of the bundle)",
            citation=info.citation or "none told",
            protocol=study.protocol,
            recipe=study.recipe,
        ),
        files={
            name: FileDigest(sha256=sha256_of(folder / name), size=(folder / name).stat().st_size) for name in GRAPHS
        },
    )


def _dimensions(study: Study) -> list[Dimension]:
    train = study.labelled(study.folds.train).latents
    cuts = np.quantile(train, QUANTILES, axis=0)  # [7,D]
    return [
        Dimension(
            index=index,
            name=name,
            mean=float(study.mean[index]),
            std=float(study.std[index]),
            quantiles={str(q): float(cut) for q, cut in zip(QUANTILES, cuts[:, index], strict=True)},
        )
        for index, name in enumerate(study.names)
    ]
