"""Retrieval figures of the recipe: fold 0 as queries, all other folds as gallery, beside baselines and plain VAEs.

Beside these: on histology alone and without MoleMax; queries of other clinics against the same gallery, which holds no
image of theirs; and how often the upload of a full-size image, turned or compressed, finds its own copy in the whole
collection first. Everything passes the bundle's own graphs and serving's own decoding, so it also checks that what was
exported is what was measured in training. Refuses a bundle that was trained on fold 0, of HAM10000 or of the other
clinics, whose folds are those of `training.data.other_clinics`. ``python -m benchmarks.retrieval [DATA] [BUNDLE]``
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
from training.data.other_clinics import CLINICS, TEST_FOLDS, read_other_clinic
from training.evaluation.bootstrap import retrieval_intervals
from training.evaluation.evaluate import Material, Measured, baselines, gather, measure, rebuilt_by
from training.evaluation.metrics import AUC, HEADLINE, MELANOMA
from training.evaluation.other_clinics import ClinicFigures, measure_clinic
from training.evaluation.own_copies import Found, own_copies_found
from training.evaluation.split import Vectors
from training.evaluation.subgroups import RESTRICTIONS, WITHOUT_SOURCE, Group
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

QUICK_CASES, QUICK_QUERIES = 600, 100
"""Of HAM10000, and of each other clinic."""
UPLOADS = "ham10000_600x450"
"""Folder of full-size images of HAM10000, beside that of the collection."""
REBUILT = ("ssim", "ssim_pca", "mse", "mse_pca")
PLAIN_NAMES = {("evidence", "histo"): "auc_histology", (WITHOUT_SOURCE, "vidir_molemax"): "auc_without_molemax"}
"""Names of the AUC on parts of the queries that stand beside the headline."""
OF_CLINICS = {AUC: "auc", MELANOMA: "mel_p5"}
"""Names of the figures of other clinics, before that of the clinic."""


def main(data: Path, bundle: Path) -> None:
    """Measure and report."""
    refuse_trained_on(read_manifest(bundle), TEST_FOLDS)
    torch.set_num_threads(1)
    system = BundleSystem(bundle)
    material = gather(system, read_collection(data), default_cache(), TEST_FOLDS, QUICK_CASES if is_quick() else None)
    rebuilt = rebuilt_by(system, material)
    assert rebuilt is not None
    measured = measure(material.split, under_presets(system, material.latents), rebuilt)
    others = baselines(system, material, default_cache())
    others += [] if is_quick() else _family(data)
    compared = {vectors.name: retrieval_intervals(material.split.retrieve(vectors)) for vectors in others}
    clinics = measure_clinics(system, material, data.parent)
    copies = _own_copies(system, material, data.parent / UPLOADS)
    clinical = measured.figures["clinical"]
    figures = {name: clinical[name].value for name in HEADLINE}
    figures |= restricted_auc(measured) | clinic_figures(clinics) | copy_figures(copies)
    figures |= {name: rebuilt.overall[name].value for name in REBUILT}
    figures["encoder_ms"] = latency(bundle / "encoder.onnx", _first_image(material))
    details: dict[str, float | str] = {"bundle": system.name, "cases": len(material.split.cases)}
    warnings = warnings_about(learned_from(system.provenance), TEST_FOLDS)
    details |= {f"WARNING {number}": text for number, text in enumerate(warnings, 1)}
    details |= {name: str(one) for name, one in clinical.items()}
    details |= {name: str(rebuilt.overall[name]) for name in REBUILT[:2]}
    details["mse_pca / mse"] = rebuilt.overall["mse_pca"].value / rebuilt.overall["mse"].value
    details |= _restricted_details(measured) | _clinic_details(clinics)
    details |= {f"{figure}, {preset}": str(found) for figure, by in copies.items() for preset, found in by.items()}
    named = {"visual preset": measured.figures["visual"]} | compared
    details |= {f"{other}: {name}": str(found[name]) for other, found in named.items() for name in HEADLINE}
    report("retrieval", figures, details, quick=is_quick())


def _restricted(measured: Measured) -> list[Group]:
    """Return the groups of queries that stand beside the headline: without one source, of one evidence only."""
    return [group for group in measured.subgroups if group.by in RESTRICTIONS and not group.too_small]


def restricted_auc(measured: Measured) -> dict[str, float]:
    """Return the AUC on each part of the queries that has one, by name."""
    return {
        PLAIN_NAMES.get((group.by, group.name), f"{AUC}_{group.by}_{group.name}").replace(" ", "_"): group.figures[
            AUC
        ].value
        for group in _restricted(measured)
        if AUC in group.figures
    }


def _restricted_details(measured: Measured) -> dict[str, str]:
    return {
        f"{group.by} {group.name} ({group.queries} queries, {group.malignant} malignant): {name}": str(one)
        for group in _restricted(measured)
        for name, one in group.figures.items()
    }


def measure_clinics(system: BundleSystem, material: Material, folder: Path) -> dict[str, ClinicFigures]:
    """Return the figures of each other clinic that lies in `folder`, by short name, in front of the same gallery."""
    split = material.split
    gallery = split.labelled(split.gallery, material.latents)
    limit = QUICK_QUERIES if is_quick() else None
    return {
        clinic.name: measure_clinic(
            system,
            read_other_clinic(clinic, folder),
            TEST_FOLDS,
            gallery,
            split.vocabulary,
            system.presets["clinical"],
            default_cache(),
            limit,
        )
        for clinic in CLINICS
        if (folder / clinic.folder).is_dir()
    }


def clinic_figures(clinics: dict[str, ClinicFigures]) -> dict[str, float]:
    """Return AUC and melanoma P@5 of each clinic, by name."""
    return {
        f"{short}_{name}": found.figures[figure].value
        for name, found in clinics.items()
        for figure, short in OF_CLINICS.items()
        if figure in found.figures
    }


def _clinic_details(clinics: dict[str, ClinicFigures]) -> dict[str, str]:
    return {
        f"{found.title} ({found.queries} queries, {found.malignant} malignant): {name}": str(one)
        for found in clinics.values()
        for name, one in found.figures.items()
    }


def _own_copies(system: BundleSystem, material: Material, folder: Path) -> dict[str, dict[str, Found]]:
    """Return how many of the full-size images in `folder` find their copy first; empty where there is no folder."""
    known = {case.id for case in material.split.cases}
    files = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.jpg")) if path.stem in known}
    return own_copies_found(system, material, files) if files else {}


def copy_figures(copies: dict[str, dict[str, Found]]) -> dict[str, float]:
    """Return the rates under the clinical preset, and under the visual one with its name behind."""
    names = {"clinical": "", "visual": "_visual"}
    return {f"{figure}{names[preset]}": found.rate for figure, by in copies.items() for preset, found in by.items()}


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
