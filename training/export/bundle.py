"""Write a bundle: graphs, manifest and model card, all or nothing."""

import hashlib
import re
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from casekin.bundle import MANIFEST, open_bundle, read_manifest, sha256_of
from casekin.contracts.bundle import (
    GRAPHS,
    BundleManifest,
    Dimension,
    FileDigest,
    OutputSpec,
    Provenance,
)
from casekin.errors import BadInput
from training.evaluation.metrics import HEADLINE, retrieval_metrics
from training.export.model_card import model_card
from training.export.onnx_graphs import DecoderGraph, EncoderGraph, FromStandard, HeadGraph, write_graph
from training.export.quantise import CALIBRATION_IMAGES, embed, quantise
from training.latent_space.calibrate import held_out_calibration
from training.latent_space.held_out import MEASURED, HeldOutCalibration, measured_json
from training.latent_space.naming import dimension_names
from training.latent_space.study import Study

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
WITHIN = 0.01
"""Largest change of a headline figure by an int8 encoder."""
AT_MOST = 2 / 3
"""Largest share of the float encoder's time: rounded latents must save something."""
UNNAMED = "unnamed"
"""Version of a manifest until its content, which names it, is known."""
TITLE_LENGTH = 32
"""Characters of the collection's title in a version, of the 64 that a version may have."""
EXAMPLES = 16
"""Real images on which the graphs must agree with torch."""


def export(
    study: Study, target: Path, version: str = "", suffix: str = "", created: datetime | None = None
) -> BundleManifest:
    """Write the bundle of a study to the folder `target`, replacing what is there only once all is written.

    The version is `version`, or else made of the collection's title, the date and a hash of what decides the latents,
    with `suffix` behind it. Raises `BadInput` where `target` holds another model under that version: an index could not
    tell their latents apart.
    """
    created = created or datetime.now(UTC)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        partial = Path(name) / "bundle"
        partial.mkdir()
        held_out = held_out_calibration(study)
        figures = held_out.metrics | _write_graphs(study, partial) | _shrunk(study, held_out, partial)
        manifest = _manifest(study, held_out, partial, figures, created)
        manifest = manifest.model_copy(update={"version": (version or content_version(manifest)) + suffix})
        _refuse_other_content(manifest, target)
        (partial / "bundle.json").write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (partial / "MODEL_CARD.md").write_text(
            model_card(manifest, study.collection.source, held_out.measured), encoding="utf-8"
        )
        (partial / MEASURED).write_bytes(measured_json(held_out.measured))
        open_bundle(partial)
        _replace(partial, target)
    return manifest


def content_version(manifest: BundleManifest) -> str:
    """Return the name of a bundle by collection, date and content, such as `ham10000-2026.11.29-1f0c9a2b`.

    The hash covers what decides a latent: the graphs, and how the dimensions are standardised.
    """
    decides = [manifest.files[name].sha256 for name in GRAPHS]
    decides += [f"{dimension.mean} {dimension.std}" for dimension in manifest.dimensions]
    digest = hashlib.sha256("\n".join(decides).encode()).hexdigest()[:8]
    title = re.sub(r"[^a-z0-9]+", "-", manifest.provenance.data.rpartition(",")[0].lower()).strip("-")[:TITLE_LENGTH]
    return f"{title.strip('-') or 'collection'}-{manifest.created:%Y.%m.%d}-{digest}"


def _refuse_other_content(manifest: BundleManifest, target: Path) -> None:
    if not (target / MANIFEST).is_file():
        return
    known = read_manifest(target)
    if known.version == manifest.version and content_version(known)[-8:] != content_version(manifest)[-8:]:
        raise BadInput(
            f"{target} holds another model under version {manifest.version}, and an index could not tell their latents "
            "apart: give another --version, or none to name it by its content"
        )


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
        write_graph(decoder, latents, folder / "decoder.onnx", "latent", decoder.results),
        write_graph(head, latents, folder / "head.onnx", "latent", ["probabilities"]),
    ]
    return {
        "onnx_parity": max(differences),
        "decoder_ms_per_image": latency(folder / "decoder.onnx", latents) / len(latents),
    }


def _shrunk(study: Study, held_out: HeldOutCalibration, folder: Path) -> dict[str, float]:
    """Put an int8 encoder in the float one's place where it is much quicker and finds as well; return its figures.

    A network that ships follows the decision of its proof.
    """
    whole, small = folder / "encoder.onnx", folder / "encoder.int8.onnx"
    train = study.positions(study.folds.train)
    quantise(whole, small, study.collection.pixels[train[:: -(-len(train) // CALIBRATION_IMAGES)]])
    images = torch.from_numpy(np.array(study.collection.pixels[:1])).permute(0, 3, 1, 2).float() / 255
    figures = {"int8_encoder_ms": latency(small, images), "float_encoder_ms": latency(whole, images)}
    if study.proven is None:
        exact, rounded = (_held_out_retrieval(study, encoder) for encoder in (None, small))
        figures |= {f"validation_{name}": value for name, value in exact.items()}
        figures |= {f"int8_change_{name}": rounded[name] - value for name, value in exact.items()}
        near = all(abs(figures[f"int8_change_{name}"]) <= WITHIN for name in exact)
        quick = figures["int8_encoder_ms"] <= AT_MOST * figures["float_encoder_ms"]
        figures["int8_kept"] = float(near and quick)
    else:
        figures["int8_kept"] = held_out.metrics["int8_kept"]
    kept = small if figures["int8_kept"] else whole
    figures["encoder_ms"] = figures["int8_encoder_ms" if figures["int8_kept"] else "float_encoder_ms"]
    kept.replace(whole)
    small.unlink(missing_ok=True)
    return figures


def _held_out_retrieval(study: Study, encoder: Path | None) -> dict[str, float]:
    """Return the headline figures of held-out lesions, which this choice may see, by the graph or else by torch."""
    sides = study.folds.held_out, study.folds.train
    latents = study.latents
    if encoder is not None:
        chosen = np.concatenate([study.rows(folds) for folds in sides])
        pixels = study.collection.pixels[[study.encoded.positions[row] for row in chosen]]
        latents = np.full_like(study.latents, np.nan)
        latents[chosen] = (embed(encoder, pixels) - study.mean) / study.std
    queries, gallery = (study.encoded.select(folds, latents) for folds in sides)
    found = retrieval_metrics(queries, gallery, study.clinical_weights, study.collection.vocabulary)
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
    study: Study, held_out: HeldOutCalibration, folder: Path, figures: dict[str, float], created: datetime
) -> BundleManifest:
    model, info = study.model, study.collection.source.info
    return BundleManifest(
        format=1,
        version=UNNAMED,
        created=created,
        input=study.collection.spec,
        output=OutputSpec(height=model.image_height, width=model.image_width),
        classes=study.collection.classes,
        dimensions=_dimensions(study),
        clinical_weights=[float(weight) for weight in study.clinical_weights],
        similarity=held_out.similarity,
        similarity_by_diagnosis=held_out.similarity_by_diagnosis,
        neighbours=held_out.neighbours,
        out_of_distribution=held_out.out_of_distribution,
        metrics={name: round(value, 6) for name, value in figures.items()},
        held_out_agreement={
            preset: held_out.measured.agreement[preset]
            for preset in study.presets()
            if preset in held_out.measured.agreement
        },
        provenance=Provenance(
            data=f"{info.title}, {len(study.collection.cases)} images",
            licence=f"{info.licence or 'licence not stated'} (of the images; they are not part of the bundle)",
            citation=info.citation or "no citation stated",
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
            name=named.name,
            mean=float(study.mean[index]),
            std=float(study.std[index]),
            quantiles={str(q): float(cut) for q, cut in zip(QUANTILES, cuts[:, index], strict=True)},
            evidence=named.evidence,
        )
        for index, named in enumerate(dimension_names(study))
    ]
