"""Retrieval figures of the recipe: fold 0 as queries, folds 1 to 4 as gallery, beside baselines and plain VAEs.

Everything passes the bundle's own graphs and serving's own decoding, so it also checks that what was exported is what
was measured in training. Refuses a bundle that was trained on fold 0. ``python -m benchmarks.retrieval [DATA]
[BUNDLE]``
"""

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.places import HAM10000, PROOF
from benchmarks.report import is_quick, report
from casekin.bundle import read_manifest
from training.data.cases import read_collection
from training.evaluation.bootstrap import retrieval_intervals
from training.evaluation.evaluate import Material, Measured, baselines, gather, measure, rebuilt_by
from training.evaluation.metrics import HEADLINE
from training.evaluation.split import Vectors
from training.evaluation.subgroups import RESTRICTIONS, Group
from training.evaluation.systems import (
    BundleSystem,
    learned_from,
    refuse_trained_on,
    under_presets,
    warnings_about,
)
from training.export.bundle import latency
from training.fit.fit import default_cache
from training.vae_baselines.fit import embed_by_member

QUERY_FOLDS = (0,)
QUICK_CASES = 900
REBUILT = ("ssim", "ssim_pca", "mse", "mse_pca")
AUC = "auc_malignant_16"


def main(data: Path, bundle: Path) -> None:
    """Measure and report."""
    refuse_trained_on(read_manifest(bundle), QUERY_FOLDS)
    torch.set_num_threads(1)
    system = BundleSystem(bundle)
    material = gather(system, read_collection(data), default_cache(), QUERY_FOLDS, QUICK_CASES if is_quick() else None)
    rebuilt = rebuilt_by(system, material)
    assert rebuilt is not None
    measured = measure(material.split, under_presets(system, material.latents), rebuilt)
    others = baselines(system, material, default_cache())
    others += [] if is_quick() else _family(data)
    compared = {vectors.name: retrieval_intervals(material.split.retrieve(vectors)) for vectors in others}
    clinical = measured.figures["clinical"]
    figures = {name: clinical[name].value for name in HEADLINE}
    figures |= _restricted_auc(measured)
    figures |= {name: rebuilt.overall[name].value for name in REBUILT}
    figures["encoder_ms"] = latency(bundle / "encoder.onnx", _first_image(material))
    details: dict[str, float | str] = {"bundle": system.name, "cases": len(material.split.cases)}
    warnings = warnings_about(learned_from(system.provenance), QUERY_FOLDS)
    details |= {f"WARNING {number}": text for number, text in enumerate(warnings, 1)}
    details |= {name: str(one) for name, one in clinical.items()}
    details |= {name: str(rebuilt.overall[name]) for name in REBUILT[:2]}
    details["mse_pca / mse"] = rebuilt.overall["mse_pca"].value / rebuilt.overall["mse"].value
    details |= _restricted_details(measured)
    named = {"visual preset": measured.figures["visual"]} | compared
    details |= {f"{other}: {name}": str(found[name]) for other, found in named.items() for name in HEADLINE}
    report("retrieval", figures, details, quick=is_quick())


def _restricted(measured: Measured) -> list[Group]:
    """Return the groups of queries that stand beside the headline: without one source, of one evidence only."""
    return [group for group in measured.subgroups if group.by in RESTRICTIONS and not group.too_small]


def _restricted_auc(measured: Measured) -> dict[str, float]:
    return {
        f"{AUC}_{group.by}_{group.name}".replace(" ", "_"): group.figures[AUC].value
        for group in _restricted(measured)
        if AUC in group.figures
    }


def _restricted_details(measured: Measured) -> dict[str, str]:
    return {
        f"{group.by} {group.name} ({group.queries} queries, {group.malignant} malignant): {name}": str(one)
        for group in _restricted(measured)
        for name, one in group.figures.items()
    }


def _family(data: Path) -> list[Vectors]:
    """Train the plain VAEs of the family on the gallery's folds and return their latents of the same cases."""
    with TemporaryDirectory() as runs:
        codes = embed_by_member(data, Path(runs), default_cache() / "pixels")
    spread = {name: (code - code.mean(0)) / code.std(0) for name, code in codes.items()}
    return [Vectors(name, code, np.ones(code.shape[1])) for name, code in spread.items()]


def _first_image(material: Material) -> torch.Tensor:
    return torch.from_numpy(np.array(material.pixels[:1])).permute(0, 3, 1, 2).float() / 255


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="# %(message)s")
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [HAM10000, PROOF][len(given) :]))
