"""Ablation of the guided VAE: one term or step is removed at a time, all else unchanged.

Images of half the size, few epochs and one view, so that the twelve trainings fit into half an hour on two cores: the
differences count, not the figures, and only those larger than between seeds. Trained on folds 2 to 4, measured with
fold 1 as queries under the preset clinical, since settings are chosen by these figures and fold 0 must not choose; the
recipe's own figures are those of `retrieval`. An interrupted run resumes after the last epoch of each.
``python -m benchmarks.ablation [DATA]``
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.kept import kept, side_by_side
from benchmarks.places import HAM10000
from benchmarks.report import is_quick, report
from casekin.atomic_files import write_durably
from training.config.guided import Config, on_split
from training.data.collection import Collection
from training.fit.batchnorm import recompute_batchnorm
from training.fit.feature_pca import CondenseConfig, condense
from training.fit.finetune import PolishConfig, polish
from training.fit.fit import default_cache, fit, load_trained
from training.latent_space.embed import targets
from training.latent_space.figures import figures, rebuilt_by
from training.latent_space.study import Study
from training.losses.objective import perceptual_error

FIGURES = ("p_at_1_macro", "knn5_balanced", "auc_malignant_16", "ssim", "perceptual_error", "dependence")
SHOWN = (*FIGURES, "p_at_5_macro", "melanoma_p_at_5", "head_balanced_by_prior")
EPOCHS, POLISH_EPOCHS, QUICK_CASES = 4, 2, 120
ONE_VIEW = CondenseConfig(mirrored=False)
BATCH = 64
Floats = npt.NDArray[np.floating]
Change = Callable[[Config], Config]


def _loss(**terms: float) -> Change:
    return lambda config: replace(config, loss=replace(config.loss, **terms))


CHANGES: Mapping[str, Change] = {
    "full": lambda config: config,
    "seed_8": lambda config: replace(config, seed=8, start_seed=8),
    "seed_9": lambda config: replace(config, seed=9, start_seed=9),
    "without_contrastive": _loss(contrastive=0.0),
    "without_cross_entropy": _loss(cross_entropy=0.0),
    "without_diagnosis": _loss(contrastive=0.0, cross_entropy=0.0),
    "without_reconstruction": _loss(reconstruction=0.0, perceptual=0.0),
    "without_perceptual": _loss(perceptual=0.0),
    "without_total_correlation": _loss(total_correlation=0.0),
    "with_decoder_gradient": _loss(decoder_gradient=1.0),
    "without_balance": lambda config: replace(config, data=replace(config.data, balance=0.0)),
    "with_mixup": lambda config: replace(config, augment=replace(config.augment, mixed=0.75)),
}


class Row(NamedTuple):
    """One line of the table: a training, and the steps after it."""

    config: Config
    condensing: CondenseConfig | None = ONE_VIEW
    recomputed: bool = True
    """Whether BatchNorm statistics are recomputed."""


def main(data: Path) -> None:
    """Train each variant, measure and report."""
    logging.basicConfig(level=logging.WARNING)
    rows = _rows()
    # Rows that only differ in the steps after a training come after it.
    trained = [name for name, row in rows.items() if name == row.config.name]
    others = [name for name in rows if name not in trained]
    measured: dict[str, dict[str, float]] = {}
    with kept("ablation") as folder, side_by_side() as pool:
        for names in (trained, others):
            records = [folder / f"{name}.json" for name in names]
            found = pool.map(_measured_once, [rows[name] for name in names], repeat(data), repeat(folder), records)
            measured |= dict(zip(names, found, strict=True))
        _report({name: measured[name] for name in rows})


def _report(measured: Mapping[str, Mapping[str, float]]) -> None:
    shown = {f"{key}_{name}": row[key] for key in FIGURES for name, row in measured.items()}
    details = {name: " ".join(f"{key} {row[key]:.3f}" for key in SHOWN) for name, row in measured.items()}
    report("ablation", shown, details, quick=is_quick())


def _rows() -> dict[str, Row]:
    base = _base()
    trained = {name: Row(replace(change(base), name=name)) for name, change in CHANGES.items()}
    full = trained["full"]
    return trained | {
        "without_settling": full._replace(recomputed=False),
        "without_condensing": full._replace(condensing=None),
        "without_roots": full._replace(condensing=replace(ONE_VIEW, rooted=False)),
        "with_views": full._replace(condensing=CondenseConfig()),
    }


def _base() -> Config:
    config = on_split(Config(), "prove")
    data = replace(config.data, height=config.data.height // 2, width=config.data.width // 2)
    output = {name: getattr(config.model, name) // 2 for name in ("output_height", "output_width")}
    epochs = 1 if is_quick() else EPOCHS
    optimiser = replace(config.optimiser, epochs=epochs, validate_every=epochs + 1, threads=1)
    return replace(config, data=data, model=replace(config.model, **output), optimiser=optimiser)


def _limit() -> int | None:
    return QUICK_CASES if is_quick() else None


def _measured_once(row: Row, data: Path, runs: Path, record: Path) -> dict[str, float]:
    if not record.exists():
        write_durably(record, json.dumps(_measured(row, data, runs)).encode())
    read: dict[str, float] = json.loads(record.read_text())
    return read


def _measured(row: Row, data: Path, runs: Path) -> dict[str, float]:
    config, pixels = row.config, default_cache() / "pixels"
    checkpoint = fit(config, data, runs, pixels, limit=_limit())
    collection = Collection(data, pixels, config.data, config.seed, _limit())
    trained = load_trained(checkpoint)
    network = recompute_batchnorm(trained.network, collection, config.augment) if row.recomputed else trained.network
    polishing = PolishConfig(epochs=1 if is_quick() else POLISH_EPOCHS, loss=config.loss)
    if row.condensing is not None:
        network = condense(network, collection, row.condensing, config.augment)
    network = polish(network, collection, polishing)
    study = Study(config.data, network, trained.recipe, collection, data, compared=True)
    own = {"perceptual_error": _perceptual_error(study), "dependence": _dependence(study)}
    return figures(study, rebuilt_by(study)) | own


@torch.no_grad()
def _perceptual_error(study: Study) -> float:
    """Return the perceptual error of the decoded test images, by features of ImageNet."""
    network, means = study.network, torch.from_numpy(study.encoded.means)
    total, rows = 0.0, study.rows(study.folds.test)
    for some in np.array_split(rows, -(-len(rows) // BATCH)):
        target = targets(network, study.collection, [study.encoded.positions[row] for row in some])
        total += float(perceptual_error(network, network.decoder(means[some]), target)) * len(some)
    return total / len(rows)


def _dependence(study: Study) -> float:
    rows, guided = study.rows(study.folds.test), study.model.diagnosis_dimensions
    return total_correlation(study.encoded.means[rows, guided:], study.encoded.log_variances[rows, guided:])


def total_correlation(means: Floats, log_variances: Floats) -> float:
    """Return the total correlation of posteriors [N,D] in nats, up to linear dependence.

    That of a Gaussian with the covariance of samples: minus half the logarithm of the determinant of their correlation.
    """
    covariance = np.cov(means.T) + np.diag(np.exp(log_variances).mean(0))
    spread = np.sqrt(np.diag(covariance))
    return float(-0.5 * np.linalg.slogdet(covariance / np.outer(spread, spread))[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HAM10000)
