"""How well the recipe's neighbours agree: fold 0 asks, folds 1 to 4 answer, beside baselines and plain VAEs.

Everything passes the bundle's own graphs and serving's own decoding, so it also proves that what was exported is what
was measured in training. ``python -m benchmarks.retrieval [DATA] [BUNDLE]``
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
from training.evaluation.evaluate import Material, baselines, gather, measure
from training.evaluation.metrics import HEADLINE
from training.evaluation.reconstruction import Reconstruction, reconstruction
from training.evaluation.split import Vectors
from training.evaluation.systems import BundleSystem, learned_from, refuse_trained_on, under_presets, warnings_about
from training.export.bundle import latency
from training.fit.fit import default_cache
from training.vae_baselines.fit import embed_by_member

QUERY_FOLDS = (0,)
QUICK_CASES = 900


def main(data: Path, bundle: Path) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    refuse_trained_on(read_manifest(bundle), QUERY_FOLDS)
    system = BundleSystem(bundle)
    material = gather(system, read_collection(data), default_cache(), QUERY_FOLDS, QUICK_CASES if is_quick() else None)
    measured = measure(material.split, under_presets(system, material.latents))
    beside = baselines(material, default_cache())
    beside += [] if is_quick() else _family(data)
    others = {vectors.name: retrieval_intervals(material.split.ask(vectors)) for vectors in beside}
    rebuilt = _reconstruction(system, material)
    clinical = measured.figures["clinical"]
    shown = {name: clinical[name].value for name in HEADLINE}
    shown |= {name: rebuilt.overall[name].value for name in ("ssim", "ssim_pca")}
    shown["encoder_ms"] = latency(bundle / "encoder.onnx", _first_image(material))
    details: dict[str, float | str] = {"bundle": system.name, "cases": len(material.split.cases)}
    warned = warnings_about(learned_from(system.provenance), QUERY_FOLDS)
    details |= {f"WARNING {number}": text for number, text in enumerate(warned, 1)}
    details |= {name: str(one) for name, one in clinical.items()}
    details |= {name: str(rebuilt.overall[name]) for name in ("ssim", "ssim_pca")}
    details |= {name: rebuilt.overall[name].value for name in ("mse", "mse_pca")}
    named = {"visual preset": measured.figures["visual"]} | others
    details |= {f"{system}: {name}": str(figures[name]) for system, figures in named.items() for name in HEADLINE}
    report("retrieval", shown, details, quick=is_quick())


def _family(data: Path) -> list[Vectors]:
    """Train the plain VAEs of the family on the gallery's folds and return what each makes of the same cases."""
    with TemporaryDirectory() as runs:
        codes = embed_by_member(data, Path(runs), default_cache() / "pixels")
    spread = {name: (code - code.mean(0)) / code.std(0) for name, code in codes.items()}
    return [Vectors(name, code, np.ones(code.shape[1])) for name, code in spread.items()]


def _reconstruction(system: BundleSystem, material: Material) -> Reconstruction:
    return reconstruction(system, system.output, material.split, material.latents, material.pixels)


def _first_image(material: Material) -> torch.Tensor:
    return torch.from_numpy(np.array(material.pixels[:1])).permute(0, 3, 1, 2).float() / 255


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="# %(message)s")
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [HAM10000, PROOF][len(given) :]))
