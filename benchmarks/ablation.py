"""Which term of the guided VAE brings what: one is taken away at a time, all else as it is.

Images of half the size, few epochs and one view, so that the twelve trainings fit into half an hour on two cores: the
differences count, not the figures, and those that another seed makes as well are none. Trained on folds 2 to 4, asked
with fold 0 under the preset clinical; the recipe's own figures are those of `retrieval`. Cut off, it goes on after the
last epoch of each. ``python -m benchmarks.ablation [DATA]``
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from benchmarks.kept import kept, side_by_side
from benchmarks.places import HAM10000
from benchmarks.report import is_quick, report
from training.condensing import CondenseConfig, condense
from training.config import Config, on_split
from training.data import Collection
from training.fitting import default_cache, fit, load_trained
from training.polishing import PolishConfig, polish
from training.settling import settle
from training.study import Study

SHOWN = ("p_at_1_macro", "p_at_5_macro", "knn5_balanced", "melanoma_p_at_5", "auc_malignant_16", "ssim")
EPOCHS, POLISH_EPOCHS, QUICK_CASES = 4, 2, 160
ONE_VIEW = CondenseConfig(mirrored=False)
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
    """One line of the table: what is trained, and what is made of it."""

    config: Config
    condensing: CondenseConfig | None = ONE_VIEW
    settled: bool = True


def main(data: Path) -> None:
    """Train each variant, measure and report."""
    logging.basicConfig(level=logging.WARNING)
    rows = _rows()
    # What is made otherwise of a training comes after it.
    trained = [name for name, row in rows.items() if name == row.config.name]
    others = [name for name in rows if name not in trained]
    measured: dict[str, dict[str, float]] = {}
    with kept("ablation") as folder, side_by_side() as pool:
        for names in (trained, others):
            records = [folder / f"{name}.json" for name in names]
            figures = pool.map(_measured_once, [rows[name] for name in names], repeat(data), repeat(folder), records)
            measured |= dict(zip(names, figures, strict=True))
        _report({name: measured[name] for name in rows})


def _report(measured: Mapping[str, Mapping[str, float]]) -> None:
    figures = {f"{key}_{name}": row[key] for key in ("p_at_1_macro", "ssim") for name, row in measured.items()}
    details = {name: " ".join(f"{key} {row[key]:.3f}" for key in SHOWN) for name, row in measured.items()}
    report("ablation", figures, details, quick=is_quick())


def _rows() -> dict[str, Row]:
    base = _base()
    trained = {name: Row(replace(change(base), name=name)) for name, change in CHANGES.items()}
    full = trained["full"]
    return trained | {
        "without_settling": full._replace(settled=False),
        "without_condensing": full._replace(condensing=None),
        "without_roots": full._replace(condensing=replace(ONE_VIEW, rooted=False)),
        "with_views": full._replace(condensing=CondenseConfig()),
    }


def _base() -> Config:
    config = on_split(Config(), "choose")
    data = replace(config.data, height=config.data.height // 2, width=config.data.width // 2)
    output = {name: getattr(config.model, name) // 2 for name in ("output_height", "output_width")}
    epochs = 1 if is_quick() else EPOCHS
    optimiser = replace(config.optimiser, epochs=epochs, validate_every=epochs + 1, threads=1)
    return replace(config, data=data, model=replace(config.model, **output), optimiser=optimiser)


def _limit() -> int | None:
    return QUICK_CASES if is_quick() else None


def _measured_once(row: Row, data: Path, runs: Path, record: Path) -> dict[str, float]:
    if not record.exists():
        partial = record.with_suffix(".partial")
        partial.write_text(json.dumps(_measured(row, data, runs)))
        partial.replace(record)
    figures: dict[str, float] = json.loads(record.read_text())
    return figures


def _measured(row: Row, data: Path, runs: Path) -> dict[str, float]:
    config, pixels = row.config, default_cache() / "pixels"
    checkpoint = fit(config, data, runs, pixels, limit=_limit())
    collection = Collection(data, pixels, config.data, config.seed, _limit())
    trained = load_trained(checkpoint, len(collection.classes))
    network = settle(trained.network, collection, config.augment) if row.settled else trained.network
    polishing = PolishConfig(epochs=1 if is_quick() else POLISH_EPOCHS, loss=config.loss)
    if row.condensing is not None:
        network = condense(network, collection, row.condensing, config.augment)
    network = polish(network, collection, polishing)
    return Study(config.data, network, trained.recipe, collection, data).figures()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HAM10000)
